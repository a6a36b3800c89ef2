"""The state of a run on disk: all that going on bit for bit needs."""

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import TypeAdapter

from model.datasets import Crops, RetrievalTest
from model.training.errors import TrainingError
from model.weights.atomic import write_atomically

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two runs the same: a run goes on only with all of it unchanged.

    Attributes:
        recipe: As JSON.
        preset: As JSON.
        data: Digest of the lists, see `data_digest`.
        precision: Of the arithmetic.
        accumulate: Micro-batches in a batch.
        keep: Which epoch's weights are kept.
    """

    recipe: str
    preset: str
    data: str
    precision: str
    accumulate: int
    keep: str

    def refuse_other(self, found: Self, folder: Path) -> None:
        """Refuse to go on with another run.

        Raises:
            TrainingError: Something differs; the message says what.
        """
        mine, other = asdict(self), asdict(found)
        different = [name for name in mine if mine[name] != other[name]]
        if not different:
            return
        details = "; ".join(_difference(name, other[name], mine[name]) for name in different)
        raise TrainingError(
            f"{folder} holds a run with another {' and '.join(different)} ({details}): "
            "give what it was started with, or another --out."
        )


@dataclass(slots=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: The epoch under way, from 1; 0 before the start was evaluated.
        step: Steps of it that are done.
        sums: Sum over these steps of each term of the loss, by name.
        seconds: Wall time of the epoch so far.
        total_seconds: Wall time of the run so far, evaluations included.
        crops: Crops seen in training.
        training_seconds: Wall time in which they were seen.
        kept: Epoch whose weights are kept; None before the first.
        best: Its mAP in percent.
        history: One row per epoch done.
        steps: One row per step done: its number in the run, each term of the loss, the share of the full rates.
        peak_memory: Most memory in use at once so far, in bytes.
        command: The command that began the run.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    total_seconds: float = 0.0
    crops: int = 0
    training_seconds: float = 0.0
    kept: int | None = None
    best: float = -1.0
    history: list[dict[str, float]] = field(default_factory=list)
    steps: list[list[float]] = field(default_factory=list)
    peak_memory: int = 0
    command: str = ""

    def end_step(self, losses: Mapping[str, float], share: float, crops: int, seconds: float) -> None:
        """Count a step in."""
        self.step += 1
        self.crops += crops
        self.seconds += seconds
        self.training_seconds += seconds
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps.append([len(self.steps) + 1, *losses.values(), share])

    def end_epoch(self, row: dict[str, float]) -> None:
        """Count an epoch in, and begin the next one."""
        self.history.append(row)
        self.total_seconds += row["seconds"]
        self.epoch, self.step, self.sums, self.seconds = self.epoch + 1, 0, {}, 0.0

    def where(self, epochs: int, steps: int) -> str:
        """How far the run of so many epochs is, in words."""
        if self.epoch == 0:
            return "before the first epoch"
        if self.epoch > epochs:
            return "after the last epoch"
        return f"in epoch {self.epoch} of {epochs}, after {self.step} of its {steps} steps"


_PROGRESS = TypeAdapter(Progress)
_IDENTITY = TypeAdapter(Identity)


@dataclass(frozen=True, slots=True)
class State:
    """A saved run.

    Attributes:
        identity: Which run.
        progress: How far.
        tensors: State dicts of the learner, the optimiser and the precision's gradient scaler, by these names.
    """

    identity: Identity
    progress: Progress
    tensors: dict[str, Any]


_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    KeyError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


def save_state(path: Path, state: State) -> None:
    """Write a state so that the path holds either the old one or the whole new one.

    Raises:
        TrainingError: A weight is not finite: the state before it stays.
        WeightsError: The file cannot be written.
    """
    broken = [name for name, value in state.tensors["learner"].items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise TrainingError(
            f"{broken[0]} is no longer finite: lower the learning rates. The state before it stays in {path}."
        )
    words = {"identity": asdict(state.identity), "progress": asdict(state.progress)}
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "words": json.dumps(words), **state.tensors}, buffer)
    write_atomically(path, buffer.getvalue())


def load_state(path: Path) -> State:
    """Read a state; no code in it is run.

    Raises:
        TrainingError: The file is damaged, of another release, or no state.
    """
    try:
        # torch leaves the file's checksums unread.
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise zipfile.BadZipFile("its checksums do not agree")
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != FORMAT:
            raise TrainingError(f"{path} was written by another release: finish the run with that one.")
        words = json.loads(content["words"])
        identity, progress = _IDENTITY.validate_python(words["identity"]), _PROGRESS.validate_python(words["progress"])
        return State(identity, progress, {name: content[name] for name in ("learner", "optimiser", "precision")})
    except _UNREADABLE as error:
        raise TrainingError(
            f"{path} cannot be read as the state of a run ({error}): start again in another --out."
        ) from error


def data_digest(learn: Crops, test: RetrievalTest) -> str:
    """SHA-256 in hex over every crop's name, size in bytes and labels, list by list."""
    digest = hashlib.sha256(test.rule.encode())
    for crops in (learn, test.query, test.gallery):
        for crop in crops:
            labels = (crop.vehicle, crop.camera, crop.vehicle_type, crop.caption)
            digest.update(json.dumps([crop.path.name, crop.path.stat().st_size, *labels]).encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _difference(name: str, before: object, now: object) -> str:
    if name == "data":
        return f"digest {str(before)[:8]} then, {str(now)[:8]} now"
    if name not in {"recipe", "preset"}:
        return f"{name} {before} then, {now} now"
    fields_before, fields_now = json.loads(str(before)), json.loads(str(now))
    changed = sorted(key for key in {*fields_before, *fields_now} if fields_before.get(key) != fields_now.get(key))
    return f"{name}: {', '.join(f'{key} {fields_before.get(key)} then, {fields_now.get(key)} now' for key in changed)}"
