"""How a vehicle is seen: the camera that hangs over a road, and one moment in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import cos, pi, radians, sin
from random import Random
from typing import Final, Literal, TypeVar, get_args

from model.synthetic.colours import pick

T = TypeVar("T")
Facing = Literal["front", "rear", "side"]
Weather = Literal["clear", "cloudy", "rain"]
Occluder = Literal["none", "pole", "leaves", "traffic"]
FACINGS: Final[tuple[Facing, ...]] = get_args(Facing)
WEATHERS: Final[tuple[Weather, ...]] = get_args(Weather)
FIRST_DAY: Final = datetime(2026, 5, 4, tzinfo=UTC)

_BEARINGS: Final[dict[str, tuple[float, float]]] = {"front": (8, 48), "rear": (132, 172), "side": (62, 112)}


@dataclass(frozen=True, slots=True)
class Camera:
    """A fixed roadside camera: its pose towards the lane it watches, its lens and sensor, and the road below it.

    Attributes:
        seed: The number it was drawn from.
        facing: Which end of the passing vehicles it sees.
        bearing: Where it stands, degrees round the vehicle: 0 ahead of it, 90 to its left, 180 behind.
        elevation: Degrees above the horizon, seen from the vehicle.
        distance: Metres to the spot it looks at.
        focal: Focal length in pixels of the full frame.
        exposure: Brightness factor of its automatic exposure.
        warmth: White balance: below 0 bluish, above 0 yellowish, within [-1, 1].
        saturation: Colour strength, 1 neutral.
        softness: Blur of lens and scaling, pixels.
        noise: Sensor noise by day, grey levels.
        jpeg_quality: Quality of the stored crops.
        asphalt: Reflectance of the road.
        lane_width: Metres.
        lanes: Lanes to the right and to the left of the one watched.
        roadside: What lies beside the road.
        north: Direction of the road, degrees; turns the sun.
    """

    seed: int
    facing: Facing
    bearing: float
    elevation: float
    distance: float
    focal: float
    exposure: float
    warmth: float
    saturation: float
    softness: float
    noise: float
    jpeg_quality: int
    asphalt: float
    lane_width: float
    lanes: tuple[int, int]
    roadside: Literal["grass", "pavement", "gravel"]
    north: float

    @classmethod
    def sample(cls, seed: int, facing: Facing | None = None) -> Camera:
        """Draw a camera; the same seed gives the same camera on every machine.

        Args:
            seed: Any integer >= 0.
            facing: Which end it sees; drawn where None.

        Raises:
            ValueError: Negative seed or unknown facing.
        """
        _check(seed, "facing", facing, FACINGS)
        rng = Random(f"roadside camera {seed}")
        drawn: Facing = _one(rng, ("rear", "front", "rear", "front", "side"))
        end = facing or drawn
        low, high = _BEARINGS[end]
        side = 1 if rng.random() < 0.5 else -1  # a coin
        distance = rng.uniform(13, 30)
        return cls(
            seed=seed,
            facing=end,
            bearing=round(side * rng.uniform(low, high), 3),
            elevation=round(rng.uniform(12, 34) if end != "side" else rng.uniform(8, 22), 3),
            distance=round(distance, 3),
            focal=round(distance * rng.uniform(46, 64), 2),
            exposure=round(rng.uniform(0.85, 1.2), 4),
            warmth=round(rng.uniform(-0.8, 0.8), 4),
            saturation=round(rng.uniform(0.78, 1.08), 4),
            softness=round(rng.uniform(0.25, 0.6), 4),
            noise=round(rng.uniform(0.8, 2.6), 4),
            jpeg_quality=72 + int(rng.random() * 19),
            asphalt=round(rng.uniform(0.09, 0.24), 4),
            lane_width=round(rng.uniform(3.1, 3.7), 3),
            lanes=(int(rng.random() * 3), int(rng.random() * 3)),
            roadside=_one(rng, ("grass", "pavement", "gravel")),
            north=round(rng.uniform(0, 360), 2),
        )

    @property
    def position(self) -> tuple[float, float, float]:
        """Where it hangs, metres from the spot it looks at; x along the road, y to the left, z up."""
        bearing, elevation = radians(self.bearing), radians(self.elevation)
        level = self.distance * cos(elevation)
        return level * cos(bearing), level * sin(bearing), self.distance * sin(elevation) + 0.6


@dataclass(frozen=True, slots=True)
class View:
    """One moment of one vehicle before one camera: where it is, light and weather, what hides it, how the crop is cut.

    Attributes:
        seed: The number it was drawn from; also seeds the sensor noise.
        captured_at: Time of capture, UTC.
        weather: Sky of that hour.
        along: Metres past the spot the camera looks at.
        across: Metres to the left of the lane's middle.
        yaw: Degrees off the lane's direction.
        speed_blur: Length of the motion blur, pixels.
        braking: Whether the brake lights are on.
        occluder: What covers a part of the vehicle; another vehicle close to it ("traffic") may leave it free where the
            camera hangs high.
        occlusion: Share of the crop's width that the occluder covers.
        occluder_side: -1 from the left, 1 from the right.
        traffic_seed: Which other vehicle drives beside, for "traffic".
        margin: Left, top, right and bottom margin of the crop around the vehicle, as shares of its size; below
            0 cuts it.
    """

    seed: int
    captured_at: datetime
    weather: Weather
    along: float
    across: float
    yaw: float
    speed_blur: float
    braking: bool
    occluder: Occluder
    occlusion: float
    occluder_side: int
    traffic_seed: int
    margin: tuple[float, float, float, float]

    @classmethod
    def sample(
        cls,
        seed: int,
        *,
        captured_at: datetime | None = None,
        weather: Weather | None = None,
        along: float | None = None,
    ) -> View:
        """Draw a moment; what is given is kept, the rest follows from the seed.

        Args:
            seed: Any integer >= 0.
            captured_at: Time of capture, aware; drawn within a day of `FIRST_DAY`, mostly by day, where None.
            weather: Sky; drawn where None.
            along: Metres past the spot the camera looks at; drawn where None.

        Raises:
            ValueError: Negative seed, unknown weather or naive time.
        """
        _check(seed, "weather", weather, WEATHERS)
        if captured_at is not None and captured_at.tzinfo is None:
            raise ValueError("captured_at must carry a time zone")
        rng = Random(f"view {seed}")
        hour = rng.uniform(6.5, 19.0) if rng.random() < 0.88 else rng.uniform(19.0, 23.5)
        moment = FIRST_DAY + timedelta(seconds=int(hour * 3600))
        sky: Weather = pick(rng, {"clear": 0.5, "cloudy": 0.38, "rain": 0.12})  # type: ignore[assignment]
        occluder: Occluder = pick(rng, {"none": 0.72, "pole": 0.06, "leaves": 0.07, "traffic": 0.15})  # type: ignore[assignment]
        drawn_along = round(rng.uniform(-3.0, 3.0), 3)
        return cls(
            seed=seed,
            captured_at=(captured_at or moment).astimezone(UTC),
            weather=weather or sky,
            along=drawn_along if along is None else along,
            across=round(rng.uniform(-0.35, 0.35), 3),
            yaw=round(rng.uniform(-3.0, 3.0), 3),
            speed_blur=round(max(0.0, rng.uniform(-2.0, 2.4)), 3),
            braking=rng.random() < 0.25,  # one in four
            occluder=occluder,
            occlusion=round(rng.uniform(0.06, 0.22), 4),
            occluder_side=1 if rng.random() < 0.5 else -1,  # a coin
            traffic_seed=int(rng.random() * 12),
            margin=tuple(round(rng.uniform(-0.015, 0.09), 4) for _ in range(4)),  # type: ignore[arg-type]
        )

    def sun(self, camera: Camera) -> tuple[float, float]:
        """Direction of the sun, degrees: bearing as in `Camera.bearing`, and elevation (below 0 at night).

        A plain arc: sunrise at 6, highest (58 degrees) at 13, sunset at 20.
        """
        hour = self.captured_at.hour + self.captured_at.minute / 60
        elevation = 58 * sin((hour - 6) / 14 * pi)
        return (90 + 15 * (hour - 6) - camera.north) % 360, elevation


def _check(seed: int, name: str, value: str | None, known: tuple[str, ...]) -> None:
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    if value is not None and value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")


def _one(rng: Random, options: tuple[T, ...]) -> T:
    return options[int(rng.random() * len(options))]
