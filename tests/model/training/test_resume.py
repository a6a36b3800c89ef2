"""However a run is ended and taken up again, it leaves what an undisturbed run leaves."""

import csv
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.training import Generated, start_run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.training import Options, Recipe, TrainingError, train
from model.training.folder import RunFolder
from model.training.state import load_state

MakeData = Callable[..., Generated]
MakeRecipe = Callable[..., Recipe]
PATIENCE_S = 120


@pytest.fixture(scope="module")
def data(make_data: MakeData) -> Generated:
    return make_data()


@pytest.fixture(scope="module")
def recipe(make_recipe: MakeRecipe) -> Recipe:
    return make_recipe(small=True, epochs=3, learning_rates=3e-4)


@pytest.fixture(scope="module")
def undisturbed(recipe: Recipe, data: Generated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run from beginning to end; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("undisturbed")
    train(recipe, data, out)
    return out


@pytest.fixture
def finished(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of the undisturbed run."""
    return shutil.copytree(undisturbed, tmp_path / "finished")


def columns(folder: Path) -> dict[str, list[str]]:
    """The CSV log by column, without the time."""
    with (folder / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0] if name != "seconds"}


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The TensorBoard log by tag, without the time."""
    log = EventAccumulator(str(folder / "tensorboard"))
    log.Reload()
    tags = [tag for tag in log.Tags()["scalars"] if not tag.endswith("seconds")]
    return {tag: [(event.step, event.value) for event in log.Scalars(tag)] for tag in tags}


def assert_same(found: Path, expected: Path) -> None:
    for name in ("small.safetensors", "small.last.safetensors"):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name
    states = [load_state(folder / "state.pt").tensors for folder in (found, expected)]
    learners, optimisers = zip(*((state["learner"], state["optimiser"]["state"]) for state in states), strict=True)
    assert learners[0].keys() == learners[1].keys()
    for name, tensor in learners[1].items():
        assert torch.equal(tensor, learners[0][name]), name
    for number, moments in optimisers[1].items():
        for name, value in moments.items():
            assert torch.equal(value, optimisers[0][number][name]), (number, name)
    assert columns(found) == columns(expected)
    assert scalars(found) == scalars(expected)
    assert not [path for path in found.iterdir() if path.name.startswith(".")], "leftovers of what was killed"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_an_undisturbed_run_logs_every_step_and_epoch_once(undisturbed: Path) -> None:
    assert columns(undisturbed)["epoch"] == ["0", "1", "2", "3"]
    assert columns(undisturbed)["step"] == ["0", "2", "4", "6"]
    logged = scalars(undisturbed)
    assert [step for step, _ in logged["step/identity_loss"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in logged["epoch/mAP"]] == [0, 2, 4, 6]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_between_any_steps(
    recipe: Recipe, data: Generated, undisturbed: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    wanted = recipe.model_dump_json()
    statuses = []
    for _ in range(2):
        log.unlink(missing_ok=True)
        shutil.rmtree(out / "tensorboard", ignore_errors=True)  # written anew, once signals are waited for
        process = start_run(wanted, data, out, log, resume=True)
        until((out / "tensorboard").is_dir)
        os.kill(process.pid or 0, number)
        process.join(PATIENCE_S)
        statuses.append(process.exitcode)
        assert f"Stopped by {number.name}" in log.read_text()
        assert "--resume" in log.read_text()
    assert statuses == [128 + number] * 2
    train(recipe, data, out, Options(resume=True))
    assert_same(out, undisturbed)


def test_kill_at_random_moments(recipe: Recipe, data: Generated, undisturbed: Path, tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    kills, moments = 0, random.Random(5)
    for attempt in range(40):
        process = start_run(recipe.model_dump_json(), data, out, log, resume=True, save_minutes=0)
        process.join(moments.uniform(0.3, 1.5) if attempt < 6 else PATIENCE_S)
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += 1
    assert process.exitcode == 0, log.read_text()
    assert kills >= 2, "the machine was too fast for the kills to meet the run"
    assert_same(out, undisturbed)


def test_a_finished_run_is_left_as_it_is_but_for_what_a_kill_left(
    recipe: Recipe, data: Generated, finished: Path
) -> None:
    before = (finished / "small.safetensors").read_bytes()
    parts = [finished / name for name in (".state.pt.x1", ".small.safetensors.x2", ".small.last.safetensors.x3")]
    for path in (*parts, finished / ".somebodys"):
        path.write_bytes(b"half")
    outcome = train(recipe, data, finished, Options(resume=True))
    assert [path for path in finished.iterdir() if path.name.startswith(".")] == [finished / ".somebodys"]
    assert outcome.weights.read_bytes() == before
    assert len(outcome.history) == 4


def test_a_run_is_not_written_over(recipe: Recipe, data: Generated, finished: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    with pytest.raises(TrainingError, match="holds a run: go on with it by --resume, or give another --out"):
        train(recipe, data, finished)
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def test_another_recipe_preset_data_or_option_is_refused(
    recipe: Recipe, data: Generated, finished: Path, make_data: MakeData
) -> None:
    before = (finished / "state.pt").read_bytes()
    go_on = Options(resume=True)
    with pytest.raises(TrainingError, match=r"another recipe \(recipe: seed 1 then, 2 now\)"):
        train(recipe.model_copy(update={"seed": 2}), data, finished, go_on)
    with pytest.raises(TrainingError, match=r"another data \(digest"):
        train(recipe, make_data(learn=9), finished, go_on)
    with pytest.raises(TrainingError, match=r"another accumulate \(accumulate 1 then, 2 now\)"):
        train(recipe, data, finished, Options(resume=True, accumulate=2))
    with pytest.raises(TrainingError, match="another precision"):
        train(recipe, data, finished, Options(resume=True, precision="bf16-mixed"))
    preset = Path(recipe.preset)
    before_change = preset.read_text()
    preset.write_text(before_change.replace('"embedding_dim":32', '"embedding_dim":64'))
    try:
        with pytest.raises(TrainingError, match=r"another preset \(preset: embedding_dim 32 then, 64 now\)"):
            train(recipe, data, finished, go_on)
    finally:
        preset.write_text(before_change)
    assert (finished / "state.pt").read_bytes() == before


def one_bit_flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x40]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"no state", one_bit_flipped]
)
def test_a_damaged_state_is_refused(
    recipe: Recipe, data: Generated, damage: Callable[[bytes], bytes], finished: Path
) -> None:
    (finished / "state.pt").write_bytes(damage((finished / "state.pt").read_bytes()))
    with pytest.raises(TrainingError, match="cannot be read as the state of a run"):
        train(recipe, data, finished, Options(resume=True))


def test_a_second_run_in_a_folder_under_way_is_refused_and_the_first_is_left_alone(
    recipe: Recipe, data: Generated, finished: Path, undisturbed: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with RunFolder(finished, recipe.name).held():
        process = start_run(recipe.model_dump_json(), data, finished, log, resume=True)
        process.join(PATIENCE_S)
        assert process.exitcode == 1
        assert "Another process is training in" in log.read_text()
    train(recipe, data, finished, Options(resume=True))
    assert_same(finished, undisturbed)


def test_kept_weights_that_have_gone_are_missed_before_the_run_goes_on(
    recipe: Recipe, data: Generated, finished: Path
) -> None:
    (finished / "small.safetensors").unlink()
    with pytest.raises(TrainingError, match=r"small\.safetensors, the weights of epoch \d, has gone: put it back"):
        train(recipe, data, finished, Options(resume=True))
