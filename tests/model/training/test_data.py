import os
import signal
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch

from model.datasets import Crops, DatasetError, LabelledCrop
from model.training import Recipe, TrainingError
from model.training.batches import Draw, DrawSampler, EpochBatches
from model.training.data import TrainingCrops, build_loader, deaths_of_workers, end_workers, read_batches
from model.training.losses import Batch
from model.training.recipe import Augmentation

MakeCrops = Callable[..., Crops]
MakeRecipe = Callable[..., Recipe]
PLENTY = 2**30


def test_a_sample_is_the_varied_crop_with_its_class_and_position(make_crops: MakeCrops) -> None:
    crops = TrainingCrops(make_crops(3), 32, Augmentation(flip=0, pad=0, erase=0), seed=1, budget=PLENTY)
    image, label, position = crops[Draw(1, 0, 4)]
    assert (label, position) == (2, 4)
    torch.testing.assert_close(image, crops.image(4).float() / 255)
    assert len(crops) == 6


def test_what_is_done_to_a_crop_follows_from_seed_epoch_and_place_alone(make_crops: MakeCrops) -> None:
    crops = TrainingCrops(make_crops(3), 32, Augmentation(), seed=1, budget=PLENTY)
    first = crops[Draw(1, 7, 4)][0]
    torch.rand(3)
    crops[Draw(1, 8, 5)]
    assert torch.equal(crops[Draw(1, 7, 4)][0], first)
    other = TrainingCrops(make_crops(3), 32, Augmentation(), seed=2, budget=PLENTY)
    for changed in (crops[Draw(2, 7, 4)][0], crops[Draw(1, 9, 4)][0], other[Draw(1, 7, 4)][0]):
        assert not torch.equal(changed, first)


def test_the_global_generator_is_left_alone(make_crops: MakeCrops) -> None:
    crops = TrainingCrops(make_crops(3), 32, Augmentation(), seed=1, budget=PLENTY)
    before = torch.get_rng_state()
    crops[Draw(1, 7, 4)]
    assert torch.equal(torch.get_rng_state(), before)


def batches(crops: TrainingCrops, recipe: Recipe, workers: int) -> list[Batch]:
    sampler = DrawSampler(EpochBatches(crops.labels, recipe), each=2, accumulate=1, rank=0, ranks=1)
    sampler.start(2, 1)
    return list(build_loader(crops, sampler, workers, gpu=False))


def test_crops_from_memory_from_files_and_from_workers_are_the_same(
    make_crops: MakeCrops, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(identities_per_batch=4)
    held, read = (TrainingCrops(make_crops(10), 32, Augmentation(), seed=1, budget=budget) for budget in (PLENTY, 100))
    assert held.in_memory
    assert not read.in_memory
    expected = batches(held, recipe, workers=0)
    assert [len(batch.labels) for batch in expected] == [8, 4]
    for found in (batches(read, recipe, workers=0), batches(read, recipe, workers=2)):
        for one, other in zip(found, expected, strict=True):
            for tensor, reference in zip(one, other, strict=True):
                assert torch.equal(tensor, reference)
    assert expected[0].images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(expected[0].labels, torch.from_numpy(held.labels)[expected[0].crops])


def test_both_crops_of_a_vehicle_are_drawn_not_one_twice(make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    crops = TrainingCrops(make_crops(4), 32, Augmentation(flip=0, pad=0, erase=0), seed=1, budget=PLENTY)
    sampler = DrawSampler(EpochBatches(crops.labels, make_recipe()), each=2, accumulate=1, rank=0, ranks=1)
    (batch,) = build_loader(crops, sampler, 0, gpu=False)
    for label in range(4):
        one, other = batch.images[batch.labels == label]
        assert not torch.equal(one, other)


def test_all_crops_as_they_are_come_in_parts(make_crops: MakeCrops) -> None:
    crops = TrainingCrops(make_crops(5), 32, Augmentation(), seed=1, budget=100)
    parts = list(crops.images(batch=4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert torch.equal(torch.cat(parts)[7], crops.image(7))


def loader_with_a_worker(crops: Crops, recipe: Recipe) -> "torch.utils.data.DataLoader[Batch]":
    held = TrainingCrops(crops, 32, Augmentation(), seed=1, budget=0)
    sampler = DrawSampler(EpochBatches(held.labels, recipe), each=2, accumulate=1, rank=0, ranks=1)
    return build_loader(held, sampler, 1, gpu=False)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_crop_that_cannot_be_read_is_one_sentence_whoever_reads_it(
    make_crops: MakeCrops, make_recipe: MakeRecipe, tmp_path: Path, workers: int
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    crops = Crops("broken", (*make_crops(3), *[LabelledCrop(tmp_path / "broken.png", "other", "camera 0")] * 2))
    held = TrainingCrops(crops, 32, Augmentation(), seed=1, budget=0)
    sampler = DrawSampler(EpochBatches(held.labels, make_recipe()), each=2, accumulate=1, rank=0, ranks=1)
    loader = build_loader(held, sampler, workers, gpu=False)
    with pytest.raises(DatasetError, match=r"^The crop .*broken\.png cannot be decoded: [^\n]*$"):
        list(read_batches(loader))
    end_workers(loader)


def test_a_killed_worker_is_said_with_what_helps(make_crops: MakeCrops, make_recipe: MakeRecipe) -> None:
    before = set(active_children())
    loader = loader_with_a_worker(make_crops(40), make_recipe())
    batches = read_batches(loader)
    next(batches)
    (worker,) = set(active_children()) - before
    killed = pytest.raises(TrainingError, match=r"was killed \(DataLoader worker .*\), .*: take fewer --workers")
    with killed, deaths_of_workers():
        os.kill(worker.pid or 0, signal.SIGKILL)
        list(batches)
    end_workers(loader)


def test_a_worker_that_dies_while_its_batch_is_fetched_is_said_alike(
    make_crops: MakeCrops, make_recipe: MakeRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = loader_with_a_worker(make_crops(40), make_recipe())
    batches = read_batches(loader)
    next(batches)
    (worker,) = loader._iterator._workers  # type: ignore[union-attr]
    assert loader._iterator._data_queue._reader.poll(60)  # type: ignore[union-attr]
    # As in the moment between the end of its connections and the signal of its death.
    monkeypatch.setattr(worker, "is_alive", lambda: True)
    of_torch = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(TrainingError, match=r"was killed \(DataLoader worker: .*\), .*: take fewer --workers"):
            list(batches)
        assert worker.exitcode == -signal.SIGKILL
    finally:
        signal.signal(signal.SIGCHLD, of_torch)
    end_workers(loader)


def test_workers_end_while_a_traceback_still_refers_to_their_loader(
    make_crops: MakeCrops, make_recipe: MakeRecipe
) -> None:
    before = set(active_children())
    loader = loader_with_a_worker(make_crops(8), make_recipe())
    next(read_batches(loader))
    assert set(active_children()) - before
    end_workers(loader)
    assert not set(active_children()) - before
