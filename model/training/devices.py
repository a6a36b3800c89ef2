"""The devices of a run: one, or several with a process each started by torchrun; and their precision."""

import atexit
import os
from datetime import timedelta
from typing import Any, Literal, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision, Precision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, nn

from model.errors import DeviceError
from model.network import CLIPSENet
from model.training.batches import shares

PrecisionName = Literal["32-true", "bf16-mixed", "16-mixed"]
PRECISIONS: tuple[PrecisionName, ...] = ("32-true", "bf16-mixed", "16-mixed")

_EVALUATION_LIMIT = timedelta(hours=12)
"""The other ranks wait this long for the first one to evaluate."""


class _Autocast(MixedPrecision):
    """Mixed precision that leaves the images in float32: they are normalised before a convolution rounds them."""

    def convert_input(self, data: Any) -> Any:  # noqa: ANN401 - as Fabric declares it
        return data


def open_fabric(precision: PrecisionName, devices: int | None) -> Fabric:
    """Make the devices ready.

    Args:
        precision: "32-true", or autocast to bfloat16 or float16 ("bf16-mixed", "16-mixed") with float32 weights.
        devices: How many processes share the work, which must be torchrun's; None takes torchrun's, or one.

    Raises:
        DeviceError: The number is not torchrun's, or the device has no such precision.
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if devices not in {None, ranks}:
        raise DeviceError(
            f"{devices} devices need a process each, and {ranks} run: start the command by "
            f"`torchrun --nproc-per-node {devices} -m service.cli train ...`."
        )
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "16-mixed" and accelerator == "cpu":
        raise DeviceError("Precision 16-mixed needs a GPU: take 32-true or bf16-mixed on the CPU.")
    if precision == "bf16-mixed" and accelerator == "cuda" and not torch.cuda.is_bf16_supported():
        raise DeviceError("This GPU computes no bfloat16: take 16-mixed or 32-true.")
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    plugin = Precision() if precision == "32-true" else _Autocast(precision, accelerator)
    fabric = Fabric(
        accelerator=accelerator,
        strategy=DDPStrategy(timeout=_EVALUATION_LIMIT) if ranks > 1 else "auto",
        devices=local,
        num_nodes=ranks // local,
        plugins=[plugin],
    )
    fabric.launch()
    if accelerator == "cuda":
        _prefer_deterministic_kernels()
    if ranks > 1:
        # A process that ends with its connections open may be aborted by their threads.
        atexit.register(_disconnect)
    return fabric


def share_statistics(network: CLIPSENet, fabric: Fabric) -> CLIPSENet:
    """The network with BatchNorms whose statistics are of all devices' crops; on CPUs each process keeps to its own.

    torch synchronises them on GPUs only. Running statistics are rank 0's wherever they differ.
    """
    if fabric.world_size == 1 or fabric.device.type != "cuda":
        return network
    return cast("CLIPSENet", nn.SyncBatchNorm.convert_sync_batchnorm(network))  # type: ignore[no-untyped-call]


def gather(fabric: Fabric, rows: Tensor, total: int) -> Tensor:
    """All ranks' rows in the ranks' order; gradients flow to this rank's own.

    A loss that all ranks compute alike from the gathered rows gives each rank the gradient of its own rows, times the
    number of ranks: the parameters' gradients, which are averaged over ranks, are then those of one process.

    Args:
        fabric: The devices.
        rows: This rank's share (see `shares`) of `total` rows, shape (n, ...).
        total: Rows of all ranks together.
    """
    ranks = fabric.world_size
    if ranks == 1:
        return rows
    counts = shares(total, ranks)
    padding = rows.new_zeros((max(counts) - len(rows), *rows.shape[1:]))
    padded = torch.cat((rows.detach(), padding))
    parts = [torch.empty_like(padded) for _ in counts]
    torch.distributed.all_gather(parts, padded)
    own = rows.clone()
    if own.requires_grad:
        own.register_hook(lambda gradient: gradient * ranks)  # type: ignore[no-untyped-call]
    gathered = [part[:count] for part, count in zip(parts, counts, strict=True)]
    gathered[fabric.global_rank] = own
    return torch.cat(gathered)


def _prefer_deterministic_kernels() -> None:
    """Let a run on a GPU come out the same again, but for the operations that torch has no such kernel of."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _disconnect() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
