"""The network and its loss as one module, which the devices share."""

from typing import Self, cast

from lightning_fabric import Fabric
from torch import Tensor, nn

from model.network import CLIPSENet, Features
from model.training.devices import gather
from model.training.losses import Batch, Objective


class Learner(nn.Module):
    """From this rank's share of a micro-batch to the loss of the whole micro-batch.

    Args:
        network: The network.
        objective: The loss.
        fabric: The devices.
        fixed: Modules of the network whose BatchNorms keep their running statistics.
    """

    def __init__(self, network: CLIPSENet, objective: Objective, fabric: Fabric, fixed: list[nn.Module]) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self._fabric = fabric
        # A tuple: torch would register modules of a list of its own, and list their tensors twice.
        self._fixed = tuple(fixed)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - as torch declares it
        """Training mode but for the fixed statistics; the towers have no dropout, so eval concerns BatchNorms only."""
        super().train(mode)
        for module in self._fixed:
            module.eval()
        return self

    def parts(self) -> dict[str, nn.Module | nn.Parameter]:
        """What is trained, by the names that a recipe's learning rates use."""
        table = self.network.camera_table
        own = {} if table is None else {"camera_table": table}
        return {**dict(self.network.named_children()), **own, **self.objective.parts()}

    def forward(self, batch: Batch, total: int) -> dict[str, Tensor]:
        """The loss by term, and its "total"; scalars.

        Args:
            batch: This rank's share.
            total: Crops of all ranks' shares together.
        """
        features: Features = self.network(batch.images)
        raw, neck, labels, crops = (
            gather(self._fabric, rows, total) for rows in (features.raw, features.neck, batch.labels, batch.crops)
        )
        semantic = None if features.semantic is None else gather(self._fabric, features.semantic, total)
        return cast("dict[str, Tensor]", self.objective(Features(raw, neck, semantic), labels, crops))
