"""The service in slow motion, as a process of its own, so that a kill can be aimed between two known steps."""

from pathlib import Path

from support.processes import ServiceProcess

PROGRAMS = Path(__file__).parents[1] / "faults"


class SlowService(ServiceProcess):
    """The service in slow motion, which writes down each step that it has just done.

    Args:
        folder: Where its data lies; kept from one start to the next.
        program: The file in tests/faults that slows it down; it writes the name of each step into FAULT_STEPS.
        weights: Weights of the preset `tiny`.
        settings: Further settings of the service, by their names in `Settings`.
    """

    def __init__(self, folder: Path, program: str, weights: Path, **settings: object) -> None:
        self._steps = folder / "steps"
        super().__init__(
            folder,
            program=(str(PROGRAMS / program),),
            environment={"FAULT_STEPS": str(self._steps)},
            weights=weights,
            preset="tiny",
            device="cpu",
            torch_threads=1,
            **settings,
        )

    def times_done(self, step: str) -> int:
        return self._steps.read_text().splitlines().count(step) if self._steps.exists() else 0
