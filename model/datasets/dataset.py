"""What a reader makes of a folder: crops to learn from, and tests to rank."""

from dataclasses import dataclass
from typing import Literal, Protocol

from model.datasets.crops import Crops

Rule = Literal["same_vehicle_same_camera", "same_camera", "one_per_vehicle"]
"""How a test is ranked.

"same_vehicle_same_camera": every query against the gallery less the query's own vehicle on its own camera (VeRi-776,
VERI-Wild). "same_camera": less the whole of the query's camera. "one_per_vehicle": VehicleID's rule; a drawn crop of
each vehicle is the gallery, all others are queries, no camera is looked at, and figures are the mean of ten draws.
"""


@dataclass(frozen=True, slots=True)
class RetrievalTest:
    """Queries, gallery and the rule between them.

    Attributes:
        name: What to call the test in tables.
        query: The queries. Where a set knows no queries of its own, the gallery itself, in the same order.
        gallery: The crops to be found.
        rule: How queries and gallery meet; with "one_per_vehicle" query and gallery are the same list.
    """

    name: str
    query: Crops
    gallery: Crops
    rule: Rule


class Dataset(Protocol):
    """A data set on disk. Lists are read when asked for: what is not asked for need not be there."""

    @property
    def name(self) -> str:
        """What to call it in messages and tables."""

    @property
    def test_names(self) -> tuple[str, ...]:
        """Names that `test` takes; the first is what training chooses its epoch on."""

    def train(self) -> Crops:
        """The crops to learn from.

        Raises:
            DatasetError: The list or a crop is missing, or the set has none to learn from.
        """

    def test(self, name: str | None = None) -> RetrievalTest:
        """One test; the first of `test_names` where no name is given.

        Raises:
            DatasetError: There is no such test, or its list or a crop is missing.
        """
