import base64
import io
import json
import os
import re
import resource
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from model.datasets import read_two_camera
from model.embedder import Embedder
from model.evaluation import embed_crops, rank_queries
from service.cli import app

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "evaluation.md"
SHARES = ("mAP", "mINP", "R1", "R5", "R10")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-camera set of six generated vehicles of two types, all in the val list."""
    folder = tmp_path_factory.mktemp("data") / "set"
    (folder / "images").mkdir(parents=True)
    names = []
    for number in range(6):
        blocks = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
        for camera in (1, 2):
            names.append(f"{'car' if number < 4 else 'bus'}_{number:04}_cam{camera}.jpg")
            Image.fromarray(blocks).resize((30 + camera, 40)).save(folder / "images" / names[-1])
    (folder / "val.txt").write_text("\n".join(names))
    return folder


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], env={"COLUMNS": "160"})
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def measured(data: Path, untrained_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What one run with everything prints, and the folder it wrote."""
    folder = tmp_path_factory.mktemp("out") / "deep" / "report"
    options = ("--baselines", "--degradations", "--false-match-rate", "0.05", "--rerank-top", "4")
    code, output = run("--data", data, "--weights", untrained_weights, "--report", folder, *options)
    assert code == 0, output
    return output, folder


@pytest.fixture(scope="module")
def figures(measured: tuple[str, Path]) -> dict[str, Any]:
    return json.loads((measured[1] / "figures.json").read_text(encoding="utf-8"))


def test_figures_are_those_worked_out_anew_from_the_embeddings(
    figures: dict[str, Any], data: Path, untrained_weights: Path
) -> None:
    embedder, crops = Embedder.load(untrained_weights), read_two_camera(data, "val")
    embeddings = embed_crops(embedder, crops)
    labels = {"query_vehicles": crops.vehicles, "gallery_vehicles": crops.vehicles}
    cameras = {"query_cameras": crops.cameras, "gallery_cameras": crops.cameras}
    ranking = rank_queries(embeddings @ embeddings.T, **labels, **cameras, junk="same_camera")
    bus = ranking.of(np.array([crop.vehicle_type == "bus" for crop in crops]))
    for kind, one in {"all": ranking, "bus": bus}.items():
        found = figures["figures"]["plain"][kind]
        assert found["mAP"] == pytest.approx(100 * one.mean_average_precision)
        assert found["R1"] == pytest.approx(100 * one.cmc(1))
    assert {kind: row["queries"] for kind, row in figures["figures"]["plain"].items()} == {
        "all": 12,
        "bus": 4,
        "car": 8,
    }
    assert figures["model"] == {"id": embedder.model_id, "dimension": 64, "weights": str(untrained_weights)}
    assert figures["cmc"]["plain"][0] == pytest.approx(ranking.cmc(1))
    assert figures["data"] == {
        "name": "set",
        "folder": str(data),
        "test": "val",
        "rule": "same_camera",
        "draws": 1,
        "queries": 12,
        "gallery": 12,
        "vehicles": 6,
        "cameras": 2,
    }


def test_the_columns_and_their_settings_are_told(figures: dict[str, Any], measured: tuple[str, Path]) -> None:
    assert list(figures["figures"]) == ["plain", "k_reciprocal", "query_expansion", "camera_normalization"]
    assert figures["rerank"]["top"] == 4
    assert figures["rerank"]["settings"] == {
        "k_reciprocal": {"k1": 20, "k2": 6, "lambda_": 0.3},
        "query_expansion": {"top_n": 5},
        "camera_normalization": {"min_crops": 32},
    }
    output, folder = measured
    for text in (output, (folder / "report.html").read_text(encoding="utf-8"), figures["rerank"]["note"]):
        assert "the best 4 candidates of each query are ordered anew, with neighbours among these only" in text


def test_the_histogram_finds_vehicles_that_only_changed_size(figures: dict[str, Any]) -> None:
    assert figures["baselines"]["HSV histogram"]["figures"]["all"]["R1"] == 100
    assert figures["baselines"]["ImageNet CNN"]["figures"]["all"]["queries"] == 12


def test_thresholds_keep_their_rates(figures: dict[str, Any]) -> None:
    assert figures["threshold"]["false_match_rate"] == 0.05
    for one in (figures["threshold"], *figures["thresholds"]):
        assert one["reached_false_match_rate"] <= one["false_match_rate"]
    assert (figures["scores"]["same"]["pairs"], figures["scores"]["different"]["pairs"]) == (6, 30)


def test_a_rate_for_which_there_are_too_few_pairs_is_told(
    figures: dict[str, Any], measured: tuple[str, Path], data: Path, untrained_weights: Path
) -> None:
    assert (figures["threshold"]["resolved"], [one["resolved"] for one in figures["thresholds"]]) == (
        True,
        [True, False, False, False],
    )
    output, folder = measured
    assert (folder / "report.html").read_text(encoding="utf-8").count("(too few pairs)") == 3
    said = "It only lies above all 30 pairs of two vehicles, which are too few for this rate"
    assert said not in output
    code, output = run("--data", data, "--weights", untrained_weights)
    assert (code, said in " ".join(output.split())) == (0, True)
    assert "Threshold at a false-match rate of 0.1 %" in output, "what is documented as the default"
    assert "the best 200 candidates" in output


def test_degradations_are_told_by_kind_and_amount(figures: dict[str, Any]) -> None:
    names = [(one["kind"], one["amount"], one["unit"]) for one in figures["degradations"]]
    assert names[0] == ("shrink", 64, "px")
    assert names[-1] == ("darken", 3, "EV")
    # The crops are 40 px high, so the first does nothing to them and the last of its kind does.
    assert figures["degradations"][0]["everything"] == figures["figures"]["plain"]


def test_the_table_shows_the_figures(measured: tuple[str, Path], figures: dict[str, Any]) -> None:
    output = measured[0]
    (row,) = re.findall(r"^all +mAP +(.+?) *$", output, flags=re.MULTILINE)
    columns = [*figures["figures"].values(), *(one["figures"] for one in figures["baselines"].values())]
    assert row.split() == [f"{column['all']['mAP']:.1f}" for column in columns]
    for text in (
        figures["model"]["id"],
        "HSV",
        "mINP",
        "R10",
        "different",
        "darken 3 EV",
        "Threshold at a false-match",
    ):
        assert text in output


def test_every_key_is_documented(figures: dict[str, Any]) -> None:
    documented = set(re.findall(r"`([\w.]+)`", DOCUMENTATION.read_text(encoding="utf-8")))

    def keys(value: object) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value)) if value else set()
        if not isinstance(value, dict):
            return set()
        return set(value).union(*map(keys, value.values()))

    variable = {"bus", "car", "all", "HSV histogram", "ImageNet CNN", "0.05", "0.25", "0.5", "0.75", "0.95"}
    assert keys(figures) - variable - documented == set()


class Page(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(scope="module")
def page(measured: tuple[str, Path]) -> Page:
    return Page((measured[1] / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else(page: Page) -> None:
    assert page.all("script", "link", "iframe", "object") == []
    sources = [one.get("src") or one["srcset"] for one in page.all("img", "source")]
    assert len(sources) > 20
    assert all(source and source.startswith("data:image/") for source in sources)
    style = re.search(r"<style>(.+?)</style>", page.rawdata or "", flags=re.DOTALL)
    assert "url(" not in (style[1] if style else "")


def test_every_picture_has_words_and_can_be_decoded(page: Page) -> None:
    for one in page.all("img"):
        assert len(one["alt"] or "") > 5
        kind, content = (one["src"] or "").split(";base64,")
        raw = base64.b64decode(content)
        if kind == "data:image/jpeg":
            Image.open(io.BytesIO(raw)).load()
        else:
            assert b"<svg" in raw


def test_curves_come_for_light_and_for_dark_pages(page: Page) -> None:
    dark = page.all("source")
    assert [one["media"] for one in dark] == ["(prefers-color-scheme: dark)"] * 3
    light = [one["src"] for one in page.all("img") if (one["src"] or "").startswith("data:image/svg")]
    assert len(light) == 3
    assert all(one != other["srcset"] for one, other in zip(light, dark, strict=True))


def test_ranked_lists_frame_hits_and_misses(page: Page, data: Path, untrained_weights: Path) -> None:
    """The lists of the page against an order worked out anew."""
    crops = read_two_camera(data, "val")
    embeddings = embed_crops(Embedder.load(untrained_weights), crops)
    scores = embeddings.astype(float) @ embeddings.T.astype(float)
    alts = [one["alt"] or "" for one in page.all("img")]
    classes = [one["class"] for one in page.all("figure") if one.get("class") in {"hit", "miss", "query"}]
    queries = [place for place, alt in enumerate(alts) if alt.startswith("Query: ")]
    assert len(queries) == 12, "four of each group, none twice"
    assert len({alts[place] for place in queries}) == 12
    shown = iter(classes)
    for place in queries:
        vehicle, camera = re.fullmatch(r"Query: (\w+) from camera (\w+)", alts[place]).groups()  # type: ignore[union-attr]
        number = next(n for n, crop in enumerate(crops) if (crop.vehicle, crop.camera) == (vehicle, camera))
        order = [g for g in np.argsort(-scores[number], kind="stable") if crops.items[g].camera != camera]
        assert next(shown) == "query"
        for rank, found in enumerate(order, start=1):
            same = crops.items[found].vehicle == vehicle
            said = f"Rank {rank}: {'the same' if same else 'another'} vehicle, score {scores[number, found]:.3f}"
            assert alts[place + rank] == f"{said}, camera {crops.items[found].camera}"
            assert next(shown) == ("hit" if same else "miss")


def test_vehicles_without_cameras_are_drawn_and_not_normalised(
    data: Path, untrained_weights: Path, tmp_path: Path
) -> None:
    rows = [f"{name},{name[:8]},val" for name in (data / "val.txt").read_text().split()]
    (tmp_path / "crops.csv").write_text("\n".join(["file,vehicle,split", *rows]))
    options = ("--manifest", tmp_path / "crops.csv", "--json", tmp_path / "figures.json")
    code, output = run("--data", data / "images", "--weights", untrained_weights, *options)
    assert code == 0, output
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found["data"]["rule"] == "one_per_vehicle"
    assert found["data"]["draws"] == 10
    assert found["data"]["cameras"] == 0
    assert list(found["figures"]) == ["plain", "k_reciprocal", "query_expansion"]


# What cannot be measured


def refused(tmp_path: Path, *arguments: object) -> str:
    code, output = run(*arguments, "--report", tmp_path / "report", "--json", tmp_path / "figures.json")
    assert code == 2, output
    assert not (tmp_path / "report").exists()
    assert not (tmp_path / "figures.json").exists()
    assert "Traceback" not in output
    return output


def test_missing_data(tmp_path: Path, untrained_weights: Path) -> None:
    assert "nowhere" in refused(tmp_path, "--data", tmp_path / "nowhere", "--weights", untrained_weights)


def test_missing_weights(tmp_path: Path, data: Path) -> None:
    output = refused(tmp_path, "--data", data, "--weights", tmp_path / "none.safetensors")
    assert "There is no weights file" in output


def test_weights_of_another_preset(tmp_path: Path, data: Path, untrained_weights: Path) -> None:
    output = refused(tmp_path, "--data", data, "--weights", untrained_weights, "--preset", "paper")
    assert "preset tiny, not paper" in output


def test_a_test_that_the_set_has_not(tmp_path: Path, data: Path, untrained_weights: Path) -> None:
    assert "huge" in refused(tmp_path, "--data", data, "--weights", untrained_weights, "--test", "huge")


@pytest.fixture
def copy(data: Path, tmp_path: Path) -> Path:
    """The set, to be spoiled."""
    folder = tmp_path / "copy"
    (folder / "images").mkdir(parents=True)
    for picture in (data / "images").iterdir():
        (folder / "images" / picture.name).write_bytes(picture.read_bytes())
    (folder / "val.txt").write_text((data / "val.txt").read_text())
    return folder


def test_no_query_with_a_match(tmp_path: Path, copy: Path, untrained_weights: Path) -> None:
    names = (copy / "val.txt").read_text().split()
    (copy / "val.txt").write_text("\n".join(name for name in names if "cam1" in name))
    output = refused(tmp_path, "--data", copy, "--weights", untrained_weights)
    assert "No query of the test val has a match" in output


def test_one_vehicle_only(tmp_path: Path, copy: Path, untrained_weights: Path) -> None:
    (copy / "val.txt").write_text("car_0000_cam1.jpg\ncar_0000_cam2.jpg")
    output = refused(tmp_path, "--data", copy, "--weights", untrained_weights)
    assert "has a candidate of another vehicle than its own; the gallery shows 1" in output


def test_a_folder_whose_name_is_no_text(tmp_path: Path, copy: Path, untrained_weights: Path) -> None:
    folder = copy.rename(tmp_path / os.fsdecode(b"caf\xe9"))
    code, output = run("--data", folder, "--weights", untrained_weights, "--report", tmp_path / "report")
    assert code == 0, output
    assert json.loads((tmp_path / "report" / "figures.json").read_text(encoding="utf-8"))["data"]["folder"] == str(
        folder
    )
    assert r"caf\xe9" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_an_empty_list(tmp_path: Path, copy: Path, untrained_weights: Path) -> None:
    (copy / "val.txt").write_text("\n")
    assert "val.txt" in refused(tmp_path, "--data", copy, "--weights", untrained_weights)


def test_a_picture_that_cannot_be_read(tmp_path: Path, copy: Path, untrained_weights: Path) -> None:
    picture = copy / "images" / "bus_0004_cam2.jpg"
    picture.write_bytes(picture.read_bytes()[:200])
    output = refused(tmp_path, "--data", copy, "--weights", untrained_weights)
    assert "bus_0004_cam2.jpg cannot be decoded" in output


def test_places_that_cannot_be_written_are_told_before_the_work(
    tmp_path: Path, data: Path, untrained_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(*_: object, **__: object) -> None:
        raise AssertionError("embedding began")

    monkeypatch.setattr("model.evaluation.embed_test", too_late)
    given = ("--data", data, "--weights", untrained_weights)
    (tmp_path / "file").write_text("kept")
    code, output = run(*given, "--report", tmp_path / "file" / "report")
    assert (code, "is a file where a folder is needed" in output) == (2, True)
    code, output = run(*given, "--json", tmp_path)
    assert (code, "is a folder: give the name of a file" in output) == (2, True)
    # Whoever runs the tests may be root, who may write anywhere.
    monkeypatch.setattr("os.access", lambda path, mode, may=os.access: not mode & os.W_OK and may(path, mode))
    code, output = run(*given, "--report", tmp_path / "report")
    assert (code, "cannot be written" in output) == (2, True), output
    assert (tmp_path / "file").read_text() == "kept"


def test_a_report_without_its_library_is_told_before_the_work(
    tmp_path: Path, data: Path, untrained_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("model.evaluation.report")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    output = refused(tmp_path, "--data", data, "--weights", untrained_weights)
    assert "The report needs matplotlib: pip install 'clip-senet-service[train]'." in output


def test_an_interruption_writes_nothing(
    tmp_path: Path, data: Path, untrained_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("model.evaluation.evaluate_embedded", interrupted)
    code, output = run("--data", data, "--weights", untrained_weights, "--report", tmp_path / "report")
    assert code == 130
    assert "No file was left half written" in output
    assert not (tmp_path / "report").exists()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, data: Path, untrained_weights: Path) -> None:
    (tmp_path / "report.html").write_text("the last report")
    (tmp_path / "figures.json").write_text("{}")
    given = ("--data", data, "--weights", untrained_weights)
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "evaluate", *given, "--report", tmp_path, "--threads", "1"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "report.html cannot be written" in done.stderr
    assert "mAP" in done.stdout, "what was measured is not lost"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "report.html": "the last report",
        "figures.json": "{}",
    }


def test_the_command_is_told_as_it_was_given(
    tmp_path: Path, data: Path, untrained_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["evaluate", "--data", str(data), "--weights", str(untrained_weights), "--json", str(tmp_path / "a b.json")]
    monkeypatch.setattr(sys, "argv", ["clip-senet", *given])
    assert run(*given[1:])[0] == 0
    command = json.loads((tmp_path / "a b.json").read_text())["run"]["command"]
    assert (
        command == f"clip-senet evaluate --data {data} --weights {untrained_weights} --json '{tmp_path / 'a b.json'}'"
    )
