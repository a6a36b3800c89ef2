"""The page in a browser: narrow and wide, light and dark, with hostile names."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser
from support.chromium import chromium

from model.datasets import Crops, LabelledCrop, RetrievalTest
from model.evaluation import ColourHistogram, embed_test, evaluate_embedded
from model.evaluation.degradations import degraded_figures
from model.evaluation.report import report_page
from model.evaluation.summary import Measured, summary

HOSTILE = '<script>document.title = "taken"</script>'


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory, make_picture: Callable[..., Image.Image]) -> Path:
    """A report on twenty vehicles, one of them with a name that is no name."""
    folder = tmp_path_factory.mktemp("report")
    items = []
    for vehicle in range(20):
        for camera in ("a", "b"):
            path = folder / f"{vehicle}_{camera}.png"
            make_picture(vehicle, (90 if camera == "a" else 60, 80)).save(path)
            items.append(
                LabelledCrop(path, str(vehicle) if vehicle else HOSTILE, camera, "car" if vehicle % 2 else "bus")
            )
    crops = Crops("made up", tuple(items))
    test = RetrievalTest("val", crops, crops, "same_camera")
    embedder = ColourHistogram()
    embedded = embed_test(embedder, test)
    evaluation = evaluate_embedded(embedded, test)
    measured = Measured(
        test=test,
        evaluation=evaluation,
        model={"id": "starter-0123456789ab-01234567", "dimension": 128, "weights": None},
        data={"name": HOSTILE, "folder": "made up"},
        run={"command": "clip-senet evaluate --data " + "a-long-name/" * 12, "release": "0"},
        rerank_top=200,
        rerank_settings={},
        false_match_rate=0.01,
        baselines={"HSV histogram": evaluation},
        degradations=list(degraded_figures(embedder, test, embedded)),
    )
    page = folder / "report.html"
    page.write_text(report_page(measured, embedded, summary(measured)), encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (400, "dark"), (1200, "light"), (1200, "dark")])
def test_the_page_fits_and_takes_the_readers_colours(
    browser: Browser, page_file: Path, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url.partition(",")[0]))
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert (brightness(ink) > brightness(paper)) == (scheme == "dark")
    pictures = page.evaluate(
        "[...document.images].map(image => [image.complete, image.naturalWidth, image.currentSrc])"
    )
    assert all(complete and wide for complete, wide, _ in pictures)
    curves = [source for *_, source in pictures if source.startswith("data:image/svg")]
    chosen = page.evaluate("[...document.querySelectorAll('source')].map(source => source.srcset)")
    assert (curves == chosen) == (scheme == "dark")
    assert {url for url in requests if not url.startswith("data:")} == {page_file.as_uri()}
    page.close()


def brightness(colour: str) -> int:
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


@pytest.mark.browser
def test_frames_are_green_for_hits_and_red_for_misses(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    for kind, strongest in {"hit": 1, "miss": 0}.items():
        borders = page.evaluate(
            "kind => [...document.querySelectorAll(`.${kind} img`)].map(one => getComputedStyle(one).borderTopColor)",
            kind,
        )
        assert borders
        for border in set(borders):
            parts = [int(part) for part in border.removeprefix("rgb(").removesuffix(")").split(",")]
            assert parts.index(max(parts)) == strongest
    page.close()


@pytest.mark.browser
def test_names_are_text_and_nothing_else(browser: Browser, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert page.title().startswith("Evaluation of starter-0123456789ab-01234567")
    assert page.evaluate("document.scripts.length") == 0
    assert HOSTILE in page.inner_text("dl")
    page.close()
