import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from support.training import Generated

from model.datasets import Crops
from model.embedder import Embedder
from model.evaluation import evaluate
from model.presets import load_preset
from model.training import Options, Recipe, train
from model.training.card import Lists, Run, initial_words, write_card
from model.training.recipe import Initial

MakeData = Callable[..., Generated]
MakeRecipe = Callable[..., Recipe]


@pytest.fixture(scope="module")
def data(make_data: MakeData) -> Generated:
    """Cars and trucks."""

    def typed(crops: Crops) -> Crops:
        kinds = {name: "truck" if number % 3 == 0 else "car" for number, name in enumerate(crops.identities)}
        return replace(crops, items=tuple(replace(crop, vehicle_type=kinds[crop.vehicle]) for crop in crops))

    plain = make_data(8, 6)
    return Generated(typed(plain.learn), typed(plain.choose))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, make_recipe: MakeRecipe, data: Generated) -> Path:
    folder = tmp_path_factory.mktemp("out")
    train(make_recipe(), data, folder, Options(command="clip-senet train --data crops"))
    return folder


@pytest.fixture(scope="module")
def card(out: Path) -> str:
    return (out / "tiny.md").read_text(encoding="utf-8")


def test_its_figures_are_those_of_the_stored_file(card: str, out: Path, data: Generated) -> None:
    embedder = Embedder.load(out / "tiny.safetensors")
    evaluation = evaluate(embedder, data.test())
    assert f"`{embedder.model_id}`" in card
    figures = evaluation.figures()
    assert figures.keys() == {"all", "car", "truck"}
    for kind, row in figures.items():
        cells = [f"{row['queries']:.0f}", *(f"{row[name]:.1f}" for name in ("mAP", "mINP", "R1", "R5", "R10"))]
        assert f"| {kind} | {' | '.join(cells)} |" in card
    for kind, values in evaluation.scores.quantiles().items():
        assert f"| {kind} | {' | '.join(f'{value:.3f}' for value in values)} |" in card
    threshold = evaluation.scores.threshold_at(0.1)
    assert f"| 10 % | {threshold:.2f} | {100 * evaluation.scores.true_match_rate(threshold):.0f} % |" in card


def test_it_says_what_was_done_on_what_and_with_what(card: str, make_recipe: MakeRecipe) -> None:
    assert "16 crops of 8 vehicles (5 car, 3 truck), 2 camera(s)" in card
    assert "generated val: 12 queries, 12 gallery crops, 6 vehicles, none of them in training" in card
    assert "rule `same_camera`" in card
    assert make_recipe().model_dump_json(indent=2) in card
    assert "```\nclip-senet train --data crops\n```" in card
    for fact in ("hardware", "precision", "wall time", "crops per second", "peak memory", "versions"):
        assert re.search(rf"^\| {fact} \| \S.* \|$", card, flags=re.MULTILINE), fact
    assert re.search(r"^\| hardware \| .+, \d+ cores, 1 torch threads, no GPU \|$", card, flags=re.MULTILINE)
    assert re.search(r"^\| peak memory \| \d\.\d\d GB", card, flags=re.MULTILINE)
    assert "11.7 M parameters" in card
    assert not re.search(r"\n\n\n|[{}]%|nan", card), "a hole in the template"


def test_it_is_plain_about_random_starts(card: str) -> None:
    assert "Appearance branch (efficientnet_lite0): random weights." in card
    assert "**not CLIP-pretrained**" in card


@pytest.mark.parametrize(
    ("initial", "said"),
    [
        (
            {"appearance": "resnext101_ibn_a", "semantic": "tinyclip-vit-40m-32"},
            ["`resnext101_ibn_a`, trained on", "`tinyclip-vit-40m-32`, trained on LAION", "licence MIT"],
        ),
        ({"appearance": "mine.pth"}, ["from the file `mine.pth`, whose licence", "not CLIP-pretrained"]),
        ({"network": "before.safetensors"}, ["All parts from the checkpoint `before.safetensors`; its own card"]),
    ],
)
def test_initial_weights_come_with_their_licence(initial: Mapping[str, str], said: list[str]) -> None:
    words = " ".join(initial_words(Initial(**initial), load_preset("paper")))
    for sentence in said:
        assert sentence in words
    assert ("not CLIP-pretrained" in words) == ("not CLIP-pretrained" in said)


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ("set apart, best kept", "highest mAP on this list, which was set apart for that"),
        ("its own, best kept", "**the epoch was chosen on the list that the figures are of**"),
        ("its own, last kept", "no list had a say in it"),
    ],
)
def test_it_says_how_the_epoch_was_chosen(
    out: Path, data: Generated, make_recipe: MakeRecipe, lists: str, said: str
) -> None:
    described = Lists(data.learn, data.test(), "generated val", held_out=lists.startswith("set apart"))
    keep = "best" if "best" in lists else "last"
    run = Run(make_recipe(), described, epoch=2, keep=keep, command="", parameters=1, facts={})
    embedder = Embedder.load(out / "tiny.safetensors")
    text = write_card(run, out / "tiny.safetensors", embedder.model_id, evaluate(embedder, data.test()))
    assert said in text
    assert text.count("Kept: ") == 1


def test_a_benchmarks_own_test_list_is_called_so(tmp_path: Path, data: Generated, make_recipe: MakeRecipe) -> None:
    benchmark = replace(data, name="VeRi", test_names=("test",))
    train(make_recipe(small=True, epochs=1), benchmark, tmp_path)
    text = (tmp_path / "small.md").read_text()
    assert "This is the data set's own test list" in text
    assert "no semantic branch, no AFEM" in text
