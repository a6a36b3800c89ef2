"""What the processes of a run must do together: evaluate on one of them, and heed a signal that any of them got."""

from collections.abc import Callable
from typing import TypeVar, cast

import torch
from lightning_fabric import Fabric

from model.training.interruption import BrokenOff, Interruption

Result = TypeVar("Result")
Advance = Callable[[int], None]


class Ranks:
    """The processes of a run; one process is a run of one rank.

    Args:
        fabric: The devices, launched.
        interruption: What this process received.

    Attributes:
        first: Whether this process is the one that measures, writes and shows.
    """

    def __init__(self, fabric: Fabric, interruption: Interruption) -> None:
        self._fabric, self._interruption = fabric, interruption
        self.first = fabric.is_global_zero

    def signal(self) -> int:
        """The signal that any rank has received, 0 for none; all ranks get the same answer, so all must ask."""
        if self._fabric.world_size == 1:
            return self._interruption.number
        number = torch.tensor(self._interruption.number, device=self._fabric.device)
        return int(cast("torch.Tensor", self._fabric.all_reduce(number, reduce_op="max")))

    def on_first(self, work: Callable[[Advance], Result], show: Advance) -> tuple[int, Result | None]:
        """Work on the first rank while the others wait for it.

        Args:
            work: Is told how to report what it has done; there a signal breaks it off.
            show: Shows what was done.

        Returns:
            On all ranks alike: 0 and the result, or the signal that broke the work off and None.
        """
        number, result = 0, None
        if self.first:
            try:
                result = work(self._interruption.checked(show))
            except BrokenOff:
                number = self._interruption.number
        return self._fabric.broadcast((number, result))

    def barrier(self) -> None:
        """Wait for all ranks."""
        self._fabric.barrier()
