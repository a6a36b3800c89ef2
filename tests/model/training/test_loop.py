import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from support.training import Generated, start_run

from model.datasets import Crops, DatasetError
from model.embedder import Embedder
from model.errors import DeviceError, WeightsError
from model.evaluation import evaluate
from model.network import CLIPSENet
from model.presets import Preset
from model.training import Options, Recipe, TrainingError, train
from model.training.state import load_state
from model.weights import load_checkpoint, read_metadata, save_checkpoint

MakeCrops = Callable[..., Crops]
MakeData = Callable[..., Generated]
MakeRecipe = Callable[..., Recipe]


def test_the_loss_falls_and_the_best_epoch_is_kept_with_its_figures(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    data = make_data(12, 12)
    # All vehicles in one batch: the epochs' losses are means over the same negatives and can be compared.
    recipe = make_recipe(epochs=5, identities_per_batch=12, learning_rates=3e-4, augmentation={"erase": 0.0, "pad": 2})
    outcome = train(recipe, data, tmp_path / "out")

    first, *_, last = outcome.history[1:]
    assert last["identity_loss"] < 0.7 * first["identity_loss"]
    assert last["contrastive_loss"] < 0.7 * first["contrastive_loss"]
    # History starts with the figures before any step, so the epoch's number is its place.
    assert len({row["mAP"] for row in outcome.history}) > 1, "every epoch ranks alike: nothing was chosen"
    assert outcome.epoch == max(range(6), key=lambda epoch: outcome.history[epoch]["mAP"])
    stored = evaluate(Embedder.load(outcome.weights), data.test()).figures()
    assert outcome.figures == stored
    assert outcome.history[outcome.epoch]["mAP"] == stored["all"]["mAP"], "epochs are measured as they are stored"
    header = read_metadata(outcome.weights)
    assert json.loads(header["figures"]) == stored
    assert Recipe.model_validate_json(header["recipe"]) == recipe
    assert (header["train"], header["val"]) == ("generated", "generated val")
    assert header["epoch"] == str(outcome.epoch)
    last_header = read_metadata(outcome.weights.with_suffix(".last.safetensors"))
    assert last_header["epoch"] == "5"
    assert json.loads(last_header["figures"])["all"]["mAP"] == outcome.history[5]["mAP"]
    with (tmp_path / "out" / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3", "4", "5"]
    assert [float(row["mAP"]) for row in rows] == [row["mAP"] for row in outcome.history]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "csv",
        "state.pt",
        "tensorboard",
        "tiny.last.safetensors",
        "tiny.md",
        "tiny.safetensors",
    ]


def test_a_seed_gives_the_same_file_again_and_another_seed_another(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    data = make_data(12, 12)

    def digest(run: str, seed: int) -> str:
        np.random.random(seed)  # noqa: NPY002 - what was drawn before must not matter
        torch.rand(seed)
        outcome = train(make_recipe(small=True, seed=seed), data, tmp_path / run, Options(keep="last"))
        return hashlib.sha256(outcome.weights.read_bytes()).hexdigest()

    assert digest("a", seed=1) == digest("b", seed=1) != digest("c", seed=2)


def test_the_last_epoch_is_kept_where_told_so(tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe) -> None:
    outcome = train(make_recipe(small=True), make_data(), tmp_path, Options(keep="last"))
    assert outcome.epoch == 2
    assert read_metadata(outcome.weights)["epoch"] == "2"
    assert not outcome.weights.with_suffix(".last.safetensors").exists()
    assert "no list had a say in it" in (tmp_path / "small.md").read_text()


def test_some_epochs_only_are_evaluated_where_told_so(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    outcome = train(make_recipe(small=True, epochs=3, evaluate_every=2), make_data(), tmp_path)
    assert [int(row["epoch"]) for row in outcome.history if "mAP" in row] == [0, 2, 3]
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        assert [bool(row["mAP"]) for row in csv.DictReader(file)] == [True, False, True, True]


def test_a_run_starts_from_a_checkpoint_of_the_same_preset(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe, small_preset: Preset
) -> None:
    network = CLIPSENet(small_preset.model_copy(update={"name": "before"}))
    save_checkpoint(tmp_path / "before.safetensors", network, network.preset)
    recipe = make_recipe(small=True, epochs=1).starting_from(network=str(tmp_path / "before.safetensors"))
    outcome = train(recipe, make_data(), tmp_path / "out", Options(keep="last"))
    start = evaluate(Embedder.load(tmp_path / "before.safetensors"), make_data().test()).figures()["all"]
    assert outcome.history[0]["mAP"] == pytest.approx(start["mAP"], abs=5)  # stored in fp16 in between
    assert "before.safetensors" in (tmp_path / "out" / "small.md").read_text()


def test_a_checkpoint_of_another_preset_is_refused(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe, small_preset: Preset
) -> None:
    network = CLIPSENet(small_preset.model_copy(update={"name": "wide", "embedding_dim": 64}))
    save_checkpoint(tmp_path / "wide.safetensors", network, network.preset)
    recipe = make_recipe(small=True).starting_from(network=str(tmp_path / "wide.safetensors"))
    with pytest.raises(TrainingError, match=r"preset wide, which differs from small in embedding_dim"):
        train(recipe, make_data(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_initial_weights_end_the_run_before_anything_is_written(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    with pytest.raises(WeightsError, match="There is no weights file"):
        train(make_recipe(small=True).starting_from(network="none.safetensors"), make_data(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_state(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(small=True, learning_rates=1e30)
    with pytest.raises(
        TrainingError, match=r"The loss is (nan|inf) in epoch 1, step \d of 2: lower the learning rates"
    ):
        train(recipe, make_data(), tmp_path)
    # The start, measured before the first step, is a whole checkpoint.
    load_checkpoint(tmp_path / "small.safetensors")
    state = load_state(tmp_path / "state.pt")
    assert (state.progress.epoch, state.progress.step) == (1, 0)
    assert all(torch.isfinite(value).all() for value in state.tensors["learner"].values())


def test_weights_that_are_no_longer_finite_never_replace_the_saved_state(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    # The only step of the epoch has a good loss and ruins the weights; the epoch is not measured.
    ruinous = {"learning_rates": 3.39e37, "weight_decay": 9.9, "warmup_epochs": 0}
    recipe = make_recipe(small=True, epochs=2, evaluate_every=2, identities_per_batch=8, **ruinous)
    with pytest.raises(TrainingError, match=r"is no longer finite: lower the learning rates\. The state before"):
        train(recipe, make_data(), tmp_path)
    state = load_state(tmp_path / "state.pt")
    assert (state.progress.epoch, state.progress.step) == (1, 0)
    assert all(torch.isfinite(value).all() for value in state.tensors["learner"].values())


def test_a_run_that_fails_ends_its_workers_and_then_itself(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    recipe, log = make_recipe(small=True, learning_rates=1e30), tmp_path / "log"
    process = start_run(recipe.model_dump_json(), make_data(), tmp_path / "out", log, workers=2, cache_bytes=0)
    process.join(60)
    ended = process.exitcode
    process.kill()
    assert ended == 1, "the run hangs" if ended is None else log.read_text()
    assert "The loss is" in log.read_text()


def test_weights_that_diverge_beyond_fp16_are_never_stored(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(small=True, epochs=1, identities_per_batch=8, learning_rates=1e6, warmup_epochs=0)
    with pytest.raises(WeightsError, match=r"not finite in torch\.float16: the checkpoint was not written"):
        train(recipe, make_data(), tmp_path)
    assert read_metadata(tmp_path / "small.safetensors")["epoch"] == "0"


def test_memory_that_runs_out_is_said_with_what_helps(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe, small_preset: Preset
) -> None:
    preset = tmp_path / "huge.json"
    huge = small_preset.model_copy(update={"name": "huge", "embedding_dim": 2**40})
    preset.write_text(huge.model_dump_json())
    with pytest.raises(TrainingError, match=r"Memory ran out \(.*\): cut the batches with --accumulate"):
        train(make_recipe(preset=str(preset)), make_data(), tmp_path / "out")


def test_a_vehicle_in_both_lists_is_refused(tmp_path: Path, make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    with pytest.raises(TrainingError, match="1 vehicle"):
        train(make_recipe(), Generated(make_crops(4), make_crops(2, first=3)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_identity_only_is_refused(tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe) -> None:
    with pytest.raises(DatasetError, match="at least 2"):
        train(make_recipe(), make_data(1, 2), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fewer_identities_than_a_batch_takes_are_refused(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    with pytest.raises(TrainingError, match="takes 4 vehicles, and the list shows 3"):
        train(make_recipe(small=True), make_data(3, 2), tmp_path / "out")


def test_a_part_without_learning_rate_is_refused(tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe) -> None:
    with pytest.raises(TrainingError, match="no learning rate for semantic"):
        train(make_recipe(learning_rates={"appearance": 1e-3}), make_data(), tmp_path / "out")


def test_devices_that_do_not_run_are_refused_with_the_command_that_starts_them(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    with pytest.raises(DeviceError, match=r"torchrun --nproc-per-node 3 -m service\.cli train"):
        train(make_recipe(small=True), make_data(), tmp_path / "out", Options(devices=3))


@pytest.mark.skipif(torch.cuda.is_available(), reason="is refused where there is no GPU")
def test_float16_on_the_cpu_is_refused(tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe) -> None:
    with pytest.raises(DeviceError, match="16-mixed needs a GPU: take 32-true or bf16-mixed"):
        train(make_recipe(small=True), make_data(), tmp_path / "out", Options(precision="16-mixed"))


def test_results_without_a_state_are_not_written_over(
    tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe
) -> None:
    for name in ("small.safetensors", "small.md", "csv/crops.csv", "tensorboard/events"):
        out = tmp_path / name.replace("/", "-")
        (out / name).parent.mkdir(parents=True)
        (out / name).write_bytes(b"somebody's")
        for options in (Options(), Options(resume=True)):
            with pytest.raises(TrainingError, match=f"holds {name.partition('/')[0]}, but no state to go on from"):
                train(make_recipe(small=True), make_data(), out, options)
        assert (out / name).read_bytes() == b"somebody's"


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be made"):
        train(make_recipe(small=True), make_data(), tmp_path / "file" / "out")


def test_a_person_sees_loss_speed_and_time_left(tmp_path: Path, make_data: MakeData, make_recipe: MakeRecipe) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    train(make_recipe(small=True, epochs=1), make_data(), tmp_path, None, console)
    shown = screen.getvalue()
    assert "epoch 1/1" in shown
    assert "loss " in shown
    assert " crops/s" in shown
    assert "mAP " in shown
