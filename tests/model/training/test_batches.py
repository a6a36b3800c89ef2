from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from model.training import Recipe, TrainingError
from model.training.batches import Draw, DrawSampler, EpochBatches, micro_batches, shares

MakeRecipe = Callable[..., Recipe]


def labels(identities: int, crops: int = 2) -> np.ndarray:
    return np.arange(identities).repeat(crops)


def drawn(sampler: DrawSampler) -> list[list[Draw]]:
    batches = list(sampler)
    assert len(batches) == len(sampler)
    return batches


def test_an_epoch_of_identities_takes_k_crops_of_every_vehicle_once(make_recipe: MakeRecipe) -> None:
    batches = EpochBatches(labels(10), make_recipe(identities_per_batch=4))
    epoch = batches.of(1)
    assert len(epoch) == batches.steps == 3
    assert [len(batch) for batch in epoch] == [8, 8, 4]
    assert sorted(np.concatenate(epoch)) == list(range(20)), "both crops of each vehicle, not one twice"
    for batch in epoch:
        assert set(Counter((batch // 2).tolist()).values()) == {2}, "every crop has a positive in its batch"


def test_a_last_batch_of_one_vehicle_is_left_out(make_recipe: MakeRecipe) -> None:
    batches = EpochBatches(labels(9), make_recipe(identities_per_batch=4))
    assert [len(batch) for batch in batches.of(1)] == [8, 8]


def test_an_epoch_of_images_has_as_many_crops_as_the_list(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(identities_per_batch=4, crops_per_identity=3, epoch_length="images")
    batches = EpochBatches(labels(6, crops=20), recipe)
    epoch = batches.of(1)
    assert len(epoch) == batches.steps == 10
    for batch in epoch:
        assert sorted(Counter((batch // 20).tolist()).values()) == [3, 3, 3, 3]


def test_a_vehicle_with_fewer_crops_than_k_gives_some_twice(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(identities_per_batch=4, crops_per_identity=3)
    assert Counter(np.concatenate(EpochBatches(labels(4, crops=2), recipe).of(1)) // 2) == dict.fromkeys(range(4), 3)


def test_an_epoch_follows_from_seed_and_number_alone(make_recipe: MakeRecipe) -> None:
    def order(epoch: int, seed: int, before: tuple[int, ...] = ()) -> tuple[int, ...]:
        batches = EpochBatches(labels(10), make_recipe(seed=seed))
        for other in before:
            np.random.random()  # noqa: NPY002 - the global generator must not matter
            batches.of(other)
        return tuple(np.concatenate(batches.of(epoch)).tolist())

    assert order(3, seed=1) == order(3, seed=1, before=(1, 2))
    assert len({order(epoch, seed) for epoch in (1, 2, 3) for seed in (1, 2)}) == 6


def test_fewer_vehicles_than_a_batch_takes_are_refused(make_recipe: MakeRecipe) -> None:
    with pytest.raises(TrainingError, match="takes 4 vehicles, and the list shows 3: lower identities_per_batch"):
        EpochBatches(labels(3), make_recipe(identities_per_batch=4))


def test_micro_batches_keep_vehicles_whole() -> None:
    batch = np.arange(14)
    parts = micro_batches(batch, each=2, accumulate=3)
    assert [part.tolist() for part in parts] == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9], [10, 11, 12, 13]]


def test_their_sizes_are_known_beforehand(make_recipe: MakeRecipe) -> None:
    batches = EpochBatches(labels(11), make_recipe(identities_per_batch=4))
    for step, batch in enumerate(batches.of(1)):
        found = [len(part) for part in micro_batches(batch, each=2, accumulate=2)]
        assert batches.micro_sizes(step, accumulate=2) == found
    assert batches.micro_sizes(2, accumulate=2) == [4, 2]


def test_a_cut_that_leaves_nothing_to_tell_apart_is_refused(make_recipe: MakeRecipe) -> None:
    batches = EpochBatches(labels(8), make_recipe(identities_per_batch=4))
    batches.need_cut(accumulate=2, ranks=2)
    with pytest.raises(TrainingError, match="smallest batch has 4 vehicles; in 3 micro-batches"):
        batches.need_cut(accumulate=3, ranks=1)
    with pytest.raises(TrainingError, match="4 crops, fewer than two for each of 3 devices"):
        batches.need_cut(accumulate=2, ranks=3)
    with pytest.raises(TrainingError, match="smallest batch has 2 vehicles"):
        EpochBatches(labels(6), make_recipe(identities_per_batch=4)).need_cut(accumulate=2, ranks=1)


def test_shares_differ_by_one_at_most() -> None:
    assert shares(10, 3) == [4, 3, 3]
    assert shares(4, 2) == [2, 2]


def test_ranks_share_each_micro_batch_and_places_do_not_depend_on_how(make_recipe: MakeRecipe) -> None:
    batches = EpochBatches(labels(10), make_recipe(identities_per_batch=4))
    alone = drawn(DrawSampler(batches, each=2, accumulate=1, rank=0, ranks=1))
    assert [draw for batch in alone for draw in batch] == [
        Draw(1, place, crop) for place, crop in enumerate(np.concatenate(batches.of(1)).tolist())
    ]
    three = [drawn(DrawSampler(batches, each=2, accumulate=1, rank=rank, ranks=3)) for rank in range(3)]
    for whole, *parts in zip(alone, *three, strict=True):
        assert [draw for part in parts for draw in part] == whole
    cut = drawn(DrawSampler(batches, each=2, accumulate=2, rank=0, ranks=1))
    assert [draw for part in cut for draw in part] == [draw for batch in alone for draw in batch]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_epoch_can_be_taken_up_at_any_step(make_recipe: MakeRecipe, accumulate: int) -> None:
    batches = EpochBatches(labels(12), make_recipe(identities_per_batch=4))
    sampler = DrawSampler(batches, each=2, accumulate=accumulate, rank=0, ranks=1)
    sampler.start(2, 0)
    whole = drawn(sampler)
    for step in range(batches.steps + 1):
        sampler.start(2, step)
        assert drawn(sampler) == whole[step * accumulate :]
