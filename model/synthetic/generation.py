"""A synthetic two-day recording: vehicles pass cameras, every crop lands in a folder with a manifest beside it."""

from __future__ import annotations

import csv
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Final, Literal

from model.synthetic.camera import FACINGS, FIRST_DAY, Camera, View, Weather
from model.synthetic.colours import pick
from model.synthetic.identity import BODIES, BODY_SHARE, Body, Identity
from model.synthetic.rendering import render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Split = Literal["gallery", "query"]
MANIFEST: Final = "manifest.csv"
_WEATHER: Final = {"clear": 0.55, "cloudy": 0.33, "rain": 0.12}
_STEP_S: Final = 0.4
"""Seconds between two crops of one track."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the manifest: a crop and what is known of it.

    Attributes:
        file: Name of the picture, `<vehicle>_cam<camera>_<n>.jpg`.
        vehicle_id: The identity, "v" and four digits.
        camera_id: The camera, "cam" and a number from 1.
        captured_at: Time of capture, RFC 3339, UTC, to the millisecond.
        session_id: The camera's recording: camera and day.
        track_id: The tracker's number within that session; numbers repeat across sessions, as a tracker's do.
        split: "gallery", or "query" for a view held out of the gallery.
        type: Body type.
        colour: Name of the main colour.
        description: The identity's caption.
        identity_seed, camera_seed, view_seed: What `Identity.sample`, `Camera.sample` and `View.sample` need to make
            the crop again; the view's time, weather and place are in the other columns.
        facing: Which end of the vehicle the camera sees.
        weather: Sky.
        along: Metres past the spot that the camera looks at.
    """

    file: str
    vehicle_id: str
    camera_id: str
    captured_at: str
    session_id: str
    track_id: str
    split: Split
    type: Body
    colour: str
    description: str
    identity_seed: int
    camera_seed: int
    view_seed: int
    facing: Literal["front", "rear", "side"]
    weather: Weather
    along: float

    def identity(self) -> Identity:
        """The vehicle on the picture."""
        return Identity.sample(self.identity_seed, self.type)

    def camera(self) -> Camera:
        """The camera that saw it."""
        return Camera.sample(self.camera_seed, self.facing)

    def view(self) -> View:
        """The moment of capture."""
        moment = datetime.fromisoformat(self.captured_at)
        return View.sample(self.view_seed, captured_at=moment, weather=self.weather, along=self.along)


def plan(
    identities: int,
    cameras: int,
    seed: int,
    *,
    queries: int = 0,
    facings: Sequence[str] | None = None,
    passes: int | None = None,
) -> list[Row]:
    """Draw who passes which camera when; nothing is rendered. The same arguments give the same rows on every machine.

    A vehicle passes each of its cameras once or, one time in six, twice on another day; a passage is a track of one to
    three crops. The first gallery passage of each query vehicle stays; one passage more is held out as its query.

    Args:
        identities: Number of vehicles, 1 or more.
        cameras: Number of cameras, 1 or more.
        seed: Any integer >= 0.
        queries: Number of held-out crops, each of another vehicle; at most `identities`.
        facings: What each camera sees, repeated in turn; drawn by each camera's own seed where None.
        passes: How many of the cameras a vehicle passes, drawn anew for each vehicle; all of them where None.

    Raises:
        ValueError: A number out of its range or an unknown facing.
    """
    if identities < 1 or cameras < 1:
        raise ValueError(f"at least one vehicle and one camera are needed, not {identities} and {cameras}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    if not 0 <= queries <= identities:
        raise ValueError(f"queries must lie between 0 and the number of vehicles ({identities}), not {queries}")
    if facings is not None and (not facings or any(facing not in FACINGS for facing in facings)):
        raise ValueError(f"facings must be some of {', '.join(FACINGS)}")
    if passes is not None and not 1 <= passes <= cameras:
        raise ValueError(f"passes must lie between 1 and the number of cameras ({cameras}), not {passes}")
    return _Recording(identities, cameras, seed, facings, passes).rows(queries)


def generate(
    out_dir: Path,
    identities: int,
    cameras: int,
    seed: int,
    *,
    queries: int = 0,
    facings: Sequence[str] | None = None,
    passes: int | None = None,
    on_crop: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Render a recording into a folder: JPEGs and `manifest.csv`.

    Args:
        out_dir: Folder, made where it is missing; must not hold a manifest yet.
        identities: Number of vehicles.
        cameras: Number of cameras.
        seed: Any integer >= 0.
        queries: Number of held-out query crops.
        facings: What each camera sees, see `plan`.
        passes: How many cameras a vehicle passes, see `plan`.
        on_crop: Called after each picture, for a progress bar.

    Returns:
        The rows of the manifest.

    Raises:
        FileExistsError: The folder holds a manifest already.
        RenderingUnavailableError: There is no OpenGL to draw with.
        ValueError: See `plan`.
    """
    rows = plan(identities, cameras, seed, queries=queries, facings=facings, passes=passes)
    if (out_dir / MANIFEST).exists():
        raise FileExistsError(f"{out_dir} holds a {MANIFEST} already: choose an empty folder")
    out_dir.mkdir(parents=True, exist_ok=True)
    for row in rows:
        camera = row.camera()
        render(row.identity(), camera, row.view()).save(out_dir / row.file, quality=camera.jpeg_quality, subsampling=2)
        if on_crop:
            on_crop(row)
    # The manifest comes last: a folder that has one is complete.
    write_manifest(out_dir / MANIFEST, rows)
    return rows


def write_manifest(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV with a header line."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(astuple(row) for row in rows)


class _Recording:
    """Draws passages of vehicles before cameras."""

    def __init__(
        self, identities: int, cameras: int, seed: int, facings: Sequence[str] | None, passes: int | None
    ) -> None:
        self._seed = seed
        self._passes = passes
        self._rng = Random(f"recording {seed}")
        self._cameras = [
            Camera.sample(seed * 1000 + number, facings[number % len(facings)] if facings else None)  # type: ignore[arg-type]
            for number in range(cameras)
        ]
        self._identities = [
            Identity.sample(seed * 100_000 + number, body) for number, body in enumerate(_bodies(identities, self._rng))
        ]
        self._tracks: dict[str, int] = {}
        self._crops: dict[tuple[str, str], int] = {}
        self._rows: list[Row] = []
        # One sky for all cameras in each three hours of a day.
        self._sky: dict[tuple[int, int], Weather] = {
            (day, block): pick(self._rng, _WEATHER)  # type: ignore[misc]
            for day in range(2)
            for block in range(8)
        }

    def rows(self, queries: int) -> list[Row]:
        for number in range(len(self._identities)):
            day, leaves = int(self._rng.random() * 2), self._hour()
            for stop, camera in enumerate(self._route()):
                self._passage(number, camera, day, leaves + stop * self._rng.uniform(0.03, 0.2), "gallery")
                if self._rng.random() < 1 / 6:
                    self._passage(number, camera, 1 - day, self._hour(), "gallery")
        every = len(self._identities) / max(queries, 1)
        for query in range(queries):
            camera = query % len(self._cameras)
            self._passage(int(query * every), camera, int(self._rng.random() * 2), self._hour(), "query")
        return self._rows

    def _route(self) -> Sequence[int]:
        """The cameras that the next vehicle passes, in the order of the road."""
        every = range(len(self._cameras))
        return every if self._passes is None else sorted(self._rng.sample(every, self._passes))

    def _hour(self) -> float:
        return self._rng.uniform(6.8, 18.6) if self._rng.random() < 0.92 else self._rng.uniform(20.0, 22.5)

    def _passage(self, number: int, camera: int, day: int, hour: float, split: Split) -> None:
        start = FIRST_DAY + timedelta(days=day, milliseconds=int(hour * 3_600_000))
        session = f"cam{camera + 1}-{start:%Y%m%d}"
        self._tracks[session] = self._tracks.get(session, 0) + 1
        place, speed = self._rng.uniform(-2.5, 0.0), self._rng.uniform(3.0, 7.0)
        crops = 1 if split == "query" or self._rng.random() < 0.85 else 2 + int(self._rng.random() * 2)
        for crop in range(crops):
            self._rows.append(
                self._row(
                    number,
                    camera,
                    start + timedelta(seconds=_STEP_S * crop),
                    session=session,
                    split=split,
                    along=place + speed * _STEP_S * crop,
                )
            )

    def _row(self, number: int, camera: int, moment: datetime, *, session: str, split: Split, along: float) -> Row:
        identity, seen_by = self._identities[number], self._cameras[camera]
        vehicle_id, camera_id = f"v{number + 1:04d}", f"cam{camera + 1}"
        count = self._crops[vehicle_id, camera_id] = self._crops.get((vehicle_id, camera_id), 0) + 1
        return Row(
            file=f"{vehicle_id}_{camera_id}_{count}.jpg",
            vehicle_id=vehicle_id,
            camera_id=camera_id,
            captured_at=moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            session_id=session,
            track_id=str(self._tracks[session]),
            split=split,
            type=identity.body,
            colour=identity.paint.name,
            description=identity.describe(),
            identity_seed=identity.seed,
            camera_seed=seen_by.seed,
            view_seed=self._seed * 1_000_000 + len(self._rows),
            facing=seen_by.facing,
            # Who leaves late on the second day and passes many cameras drives into a third one, under the first's sky.
            weather=self._sky[(moment - FIRST_DAY).days % 2, moment.hour // 3],
            along=round(along, 3),
        )


def _bodies(count: int, rng: Random) -> list[Body]:
    """Body types in the shares of traffic, each as often as its share says (largest remainder), in random order."""
    total = sum(BODY_SHARE.values())
    exact = {body: count * BODY_SHARE[body] / total for body in BODIES}
    drawn = {body: int(exact[body]) for body in BODIES}
    by_remainder = sorted(BODIES, key=lambda body: drawn[body] - exact[body])
    for body in by_remainder[: count - sum(drawn.values())]:
        drawn[body] += 1
    return sorted((body for body in BODIES for _ in range(drawn[body])), key=lambda _: rng.random())
