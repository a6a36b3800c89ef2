"""How a run is carried out: what its weights do not, or hardly, depend on."""

from dataclasses import dataclass, field
from typing import Literal

from model.training.devices import PrecisionName
from model.weights import WeightsStore, default_store

Keep = Literal["best", "last"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is carried out.

    Attributes:
        resume: Go on with the run in its folder; where there is none, begin it.
        precision: Of the arithmetic.
        accumulate: Micro-batches in a batch, of whole identities each. The contrastive loss compares crops within one.
        devices: How many share each batch, a process each, started by torchrun; None is as many as run.
        workers: Processes that read and vary crops; None is one for each core up to 8, or 0 for the crops in memory
            of a run on the CPU, which needs the cores itself.
        threads: Torch's threads on the CPU; 0 leaves them as they are.
        keep: Whose weights are kept: of the epoch with the best mAP, or of the last.
        cache_bytes: What the resized crops may take in memory; a list that takes more is read from its files each time.
        save_minutes: The state is saved after so much of an epoch, besides at its end.
        store: Where published initial weights lie.
        command: The command as it was given, for the card.
    """

    resume: bool = False
    precision: PrecisionName = "32-true"
    accumulate: int = 1
    devices: int | None = None
    workers: int | None = None
    threads: int = 0
    keep: Keep = "best"
    cache_bytes: int = 4 * 2**30
    save_minutes: float = 10.0
    store: WeightsStore = field(default_factory=default_store)
    command: str = ""
