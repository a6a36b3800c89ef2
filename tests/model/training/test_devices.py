import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.environment import plain_environment
from support.training import Generated
from support.two_ranks import Job, take_steps

from model.training import Recipe, load_recipe
from model.weights import read_metadata


def loaded(path: Path) -> Any:
    return torch.load(path, weights_only=False)  # the test's own


def test_two_processes_take_the_steps_of_one_and_end_with_equal_weights(
    tmp_path: Path, make_data: Callable[..., Generated], make_recipe: Callable[..., Recipe]
) -> None:
    """Nine vehicles make batches of five and four, cut in two: no share is as large as the other."""
    common = {"small": True, "epochs": 1, "warmup_epochs": 0, "identities_per_batch": 5, "learning_rates": 1e-3}
    # A process on a CPU has BatchNorm statistics of its own share; with fixed ones nothing depends on the shares.
    fixed = make_recipe(name="fixed", fixed_statistics=["appearance", "neck"], **common)
    own = make_recipe(name="own", **common)
    job = Job((own, fixed), 2, make_data(9), tmp_path)
    (tmp_path / "job").write_bytes(pickle.dumps(job))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *("-m", "support.two_ranks", str(tmp_path / "job")),
        ],
        env={**plain_environment(), "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    first, second = (loaded(tmp_path / f"fixed-{rank}.pt") for rank in range(2))
    assert first["losses"] == second["losses"]
    for name, tensor in first["learner"].items():
        assert torch.equal(tensor, second["learner"][name]), name
    alone = take_steps(job, fixed)
    for mine, theirs in zip(alone["losses"], first["losses"], strict=True):
        assert theirs == pytest.approx(mine, rel=1e-4)
    assert alone["gradients"].keys() == first["gradients"].keys()
    for name, gradient in alone["gradients"].items():
        assert (gradient - first["gradients"][name]).norm() <= 1e-3 * gradient.norm() + 1e-6, name

    first, second = (loaded(tmp_path / f"own-{rank}.pt") for rank in range(2))
    moved = {name for name, tensor in first["learner"].items() if not torch.equal(tensor, second["learner"][name])}
    assert moved
    assert all("running_" in name for name in moved), "all that is learned is equal"

    assert loaded(tmp_path / "figures-0.pt") == loaded(tmp_path / "figures-1.pt")
    assert read_metadata(tmp_path / "run" / "fixed.safetensors")["epoch"] == "1"
    assert "2 processes" in (tmp_path / "run" / "fixed.md").read_text()
    assert "deprecated" not in done.stderr, done.stderr


@pytest.mark.gpu
def test_a_step_of_the_papers_preset_in_bfloat16_on_a_gpu(make_data: Callable[..., Generated]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    import time

    from model.presets import load_preset
    from model.training import Options
    from model.training.devices import open_fabric
    from model.training.engine import Engine

    recipe = load_recipe("veri776").starting_from(random=True)
    data = make_data(48)
    engine = Engine(recipe, load_preset("paper"), data.learn, Options(), open_fabric("bf16-mixed", None))
    assert engine.steps == 1
    times, losses = [], []
    for epoch in range(1, 5):
        torch.cuda.synchronize()
        began = time.perf_counter()
        (step,) = engine.epoch(epoch, 0)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
        losses.append(step.losses["total"])
    assert all(parameter.dtype == torch.float32 for parameter in engine.network.parameters())
    assert losses[-1] < losses[0]
    memory = torch.cuda.max_memory_allocated() / 2**30
    print(f"paper preset, bf16-mixed, 128 crops: {128 / min(times):.0f} images/s, {memory:.1f} GiB")  # noqa: T201
