"""Presets: what ships, and what is refused."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from model.errors import PresetError
from model.presets import Preset, load_preset, preset_names


def content(**changes: object) -> dict[str, object]:
    """A good preset with changes."""
    return {
        "name": "small",
        "image_size": 64,
        "embedding_dim": 64,
        "appearance": {"kind": "efficientnet_lite0"},
        "semantic": {"tower": "ViT-8M/16"},
        **changes,
    }


def test_the_package_brings_its_presets() -> None:
    assert preset_names() == ["paper", "starter", "starter-baseline", "starter-sem"]


def test_paper_is_the_papers_network() -> None:
    preset = load_preset("paper")
    assert (preset.image_size, preset.embedding_dim) == (320, 2048)
    assert (preset.appearance.kind, preset.appearance.last_stride) == ("resnext101_ibn_a", 2)
    assert (preset.semantic.tower, preset.semantic_size) == ("ViT-40M/32", 320)
    assert (preset.afem.variant, preset.afem.groups) == ("A", 32)
    assert preset.camera_table is None
    assert preset.retrieval == "neck"


def test_every_preset_carries_the_name_of_its_file() -> None:
    assert [load_preset(name).name for name in preset_names()] == preset_names()


def test_a_preset_file_of_ones_own_is_read_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content(name="mine", semantic={"tower": "ViT-40M/32", "input_size": 224})))
    preset = load_preset(path)
    assert (preset.name, preset.semantic_size, preset.semantic.patch_size) == ("mine", 224, 32)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PresetError, match="paper, starter"):
        load_preset("huge")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"absent\.json cannot be read"):
        load_preset(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"imagesize": 192}, "imagesize"),
        ({"image_size": 200}, "no multiple of its patch size 16"),
        ({"semantic": {"tower": "ViT-40M/32", "input_size": 100}}, "no multiple of its patch size 32"),
        ({"semantic": {"tower": "ViT-22M/32"}}, "ViT-40M/32"),
        ({"afem": {"variant": "A", "groups": 7}}, "does not divide into afem.groups = 7"),
        ({"afem": {"variant": "A'", "groups": 7}}, "does not divide into afem.groups = 7"),
        ({"semantic": None}, "nothing for AFEM to enhance"),
        ({"appearance": {"kind": "resnet18"}}, "resnext101_ibn_a"),
        ({"appearance": {"kind": "resnet50_ibn_a", "last_stride": 3}}, "last_stride"),
        ({"retrieval": "mean"}, "retrieval"),
        ({"name": "A name"}, "name"),
        ({"camera_table": {"cameras": 0}}, "cameras"),
    ],
)
def test_a_preset_that_makes_no_sense_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content(**changes)))
    with pytest.raises(PresetError, match=reason):
        load_preset(path)


def test_variant_c_needs_no_division() -> None:
    assert Preset.model_validate(content(afem={"variant": "C", "groups": 7})).afem.groups == 7


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(PresetError, match="is not a preset"):
        load_preset(path)


def test_a_preset_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_preset("starter").image_size = 64  # type: ignore[misc]
