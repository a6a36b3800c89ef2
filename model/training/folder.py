"""The folder of a run: what is in it, and whether a run may begin or go on there."""

from pathlib import Path

from model.training.errors import TrainingError
from model.weights.atomic import write_atomically


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder.
        name: The recipe's name.

    Attributes:
        state: The state that a run goes on from.
        kept: The kept weights.
        card: Their card.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.state = path / "state.pt"
        self.card = path / f"{name}.md"
        self.kept = path / f"{name}.safetensors"
        self._results = (self.kept, self.kept.with_suffix(".last.safetensors"), self.card)

    def open(self, *, resume: bool) -> bool:
        """Make the folder ready; says whether there is a run to go on with. Nothing is written but the folder.

        Raises:
            TrainingError: A run is there and is not to be gone on with, or the folder cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainingError(f"The folder {self.path} cannot be made ({error}): give another --out.") from error
        if self.state.is_file():
            if not resume:
                raise TrainingError(f"{self.path} holds a run: go on with it by --resume, or give another --out.")
            return True
        if there := next((path for path in self._results if path.exists()), None):
            raise TrainingError(f"{self.path} holds {there.name} of a run without its state: give another --out.")
        return False

    def write_card(self, text: str) -> None:
        """Write the card, whole or not at all.

        Raises:
            WeightsError: The disk refuses.
        """
        write_atomically(self.card, text.encode())

    def clear_leftovers(self) -> None:
        """Remove what a killed process had not finished writing."""
        for whole in (self.state, *self._results):
            for part in self.path.glob(f".{whole.name}.*"):
                part.unlink(missing_ok=True)
