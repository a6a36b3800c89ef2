import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.vectors import unit_rows
from typer.testing import CliRunner

from index.codecs import DEFAULT_CODEC
from service.cli import app


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["bench", "recall", *map(str, arguments)], env={"COLUMNS": "200"})
    return result.exit_code, result.output


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    file = tmp_path / "embeddings.npy"
    np.save(file, unit_rows(1, 600, 96))
    return file


def test_every_codec_is_measured_and_the_smallest_is_named(embeddings: Path, tmp_path: Path) -> None:
    code, output = run("--embeddings", embeddings, "--json", tmp_path / "new" / "recall.json")
    assert code == 0, output
    found = json.loads((tmp_path / "new" / "recall.json").read_text(encoding="utf-8"))
    codecs = {one["codec"]: one for one in found["codecs"]}
    assert list(codecs) == ["fp32", "fp16", "sq8", "rabitq"]
    assert [codecs[name]["recall"] >= 0.99 for name in codecs] == [True] * 4
    assert [codecs[name]["scanned_bytes"] for name in codecs] == [384, 192, 96, 20]
    assert codecs["rabitq"]["memory_bytes"] == 20 + 192
    assert codecs["fp32"]["time_to_fp32"] == 1
    assert (found["real"], found["made_up"], found["queries"], found["k"]) == (480, 0, 120, 10)
    assert (found["smallest"], found["default"]) == ("sq8", DEFAULT_CODEC)
    assert "The smallest in memory that finds 99 %: sq8; it is the default." in output
    for one in codecs.values():
        assert f"{one['recall']:.4f}" in output


def test_what_is_made_up_is_told(embeddings: Path, tmp_path: Path) -> None:
    code, output = run("--embeddings", embeddings, "--synthetic", 900, "--queries", 10, "--json", tmp_path / "out.json")
    assert code == 0, output
    assert "590 embeddings and 310 made up beside them, 10 queries" in output
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["made_up"] == 310


def test_a_folder_of_crops_is_embedded(tmp_path: Path, untrained_weights: Path) -> None:
    for number in range(25):
        blocks = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(blocks).resize((40, 30)).save(tmp_path / f"{number}.png")
    code, output = run("--crops", tmp_path, "--weights", untrained_weights, "-k", 3)
    assert code == 0, output
    assert "tiny-" in output
    assert "20 embeddings, 5 queries" in output


def refused(tmp_path: Path, vectors: object) -> str:
    np.save(tmp_path / "spoilt.npy", vectors)
    code, output = run("--embeddings", tmp_path / "spoilt.npy")
    assert code == 2
    return output


def test_embeddings_that_are_none_are_refused_with_the_row(tmp_path: Path) -> None:
    longer, broken = unit_rows(2, 30, 8), unit_rows(2, 30, 8)
    longer[4] *= 2
    broken[7, 3] = np.nan
    assert "row 4: length 2" in refused(tmp_path, longer)
    assert "row 7: length nan" in refused(tmp_path, broken)
    assert "expected rows" in refused(tmp_path, unit_rows(2, 30, 8)[0])
    assert "expected rows" in refused(tmp_path, np.arange(60).reshape(30, 2))
    assert "too few" in refused(tmp_path, unit_rows(2, 19, 8))
    (tmp_path / "text.npy").write_text("no array")
    assert run("--embeddings", tmp_path / "text.npy")[0] == 2
    assert run("--embeddings", tmp_path / "absent.npy")[0] == 2


def test_commands_that_make_no_sense_are_refused(embeddings: Path, tmp_path: Path) -> None:
    assert run("--embeddings", embeddings, "--crops", tmp_path)[0] == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    code, output = run("--crops", empty)
    assert (code, "no pictures" in output) == (2, True)
    assert run("--crops", tmp_path / "absent")[0] == 2
