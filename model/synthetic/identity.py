"""What makes one vehicle that vehicle and no other: body, proportions, paint, extras, marks, damage and load."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, Literal, TypeVar, get_args

from model.synthetic.colours import CAR_SHARE, RGB, SHADES, WORK_SHARE, pick, shade

T = TypeVar("T")
Body = Literal["sedan", "hatchback", "suv", "van", "pickup", "box_truck", "bus", "motorcycle"]
Side = Literal["left", "right", "both"]
BODIES: Final[tuple[Body, ...]] = get_args(Body)
BODY_SHARE: Final[dict[str, float]] = {
    "sedan": 24,
    "hatchback": 17,
    "suv": 19,
    "van": 11,
    "pickup": 8,
    "box_truck": 8,
    "bus": 5,
    "motorcycle": 8,
}
"""Share in percent of each body type in traffic, unless the caller names one."""

# length, width, height, wheelbase, wheel radius in metres, with half the spread between the smallest and the largest
_SIZES: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "sedan": ((4.65, 0.22), (1.81, 0.05), (1.46, 0.035), (2.72, 0.10), (0.325, 0.018)),
    "hatchback": ((4.00, 0.28), (1.74, 0.06), (1.50, 0.05), (2.54, 0.11), (0.305, 0.02)),
    "suv": ((4.55, 0.28), (1.87, 0.07), (1.72, 0.08), (2.70, 0.10), (0.37, 0.025)),
    "van": ((5.10, 0.45), (1.95, 0.07), (2.05, 0.22), (3.10, 0.25), (0.34, 0.02)),
    "pickup": ((5.25, 0.20), (1.88, 0.07), (1.80, 0.07), (3.15, 0.10), (0.39, 0.025)),
    "box_truck": ((6.60, 0.70), (2.15, 0.12), (2.95, 0.28), (3.60, 0.35), (0.42, 0.03)),
    "bus": ((10.4, 1.1), (2.50, 0.05), (3.10, 0.12), (5.40, 0.55), (0.50, 0.02)),
    "motorcycle": ((1.95, 0.10), (0.70, 0.04), (1.12, 0.04), (1.30, 0.06), (0.28, 0.025)),
}
_EXTRAS: Final[dict[str, dict[str, float]]] = {
    "sedan": {"spoiler": 0.2, "sunroof": 0.3, "taxi_sign": 0.1, "sharkfin": 0.5, "chrome_trim": 0.4, "tinted": 0.4},
    "hatchback": {"spoiler": 0.5, "sunroof": 0.2, "roof_rack": 0.15, "sharkfin": 0.4, "rear_wiper": 0.8, "tinted": 0.4},
    "suv": {
        "roof_rack": 0.55,
        "roof_box": 0.12,
        "spoiler": 0.4,
        "sunroof": 0.3,
        "cladding": 0.5,
        "spare_wheel": 0.15,
        "rear_wiper": 0.7,
        "chrome_trim": 0.4,
        "tinted": 0.5,
    },
    "van": {"roof_rack": 0.3, "ladder": 0.2, "side_windows": 0.45, "rear_wiper": 0.4, "cladding": 0.4},
    "pickup": {"bull_bar": 0.25, "roll_bar": 0.4, "cladding": 0.4, "chrome_trim": 0.4, "tinted": 0.4},
    "box_truck": {"roof_deflector": 0.5, "side_skirts": 0.4, "cooler": 0.3, "sun_visor": 0.3},
    "bus": {"roof_pod": 0.8, "route_board": 0.8, "chrome_trim": 0.3},
    "motorcycle": {"top_box": 0.3, "windscreen": 0.25, "backpack": 0.35, "chrome_trim": 0.4, "scooter": 0.6},
}
_NAMES: Final = (
    "NORDLINE",
    "CITYFIX",
    "AQUA+",
    "BREADCO",
    "PARCEL 24",
    "GREENLEAF",
    "METRO",
    "ALPHA",
    "FRESCO",
    "KIKO",
)
_DAMAGES: Final = ("dent", "primer_panel", "scratch", "rust", "missing_hubcap")
_LOADS: Final[dict[str, tuple[str, ...]]] = {
    "pickup": ("crates", "tarpaulin", "pipes"),
    "motorcycle": ("parcel",),
}


@dataclass(frozen=True, slots=True)
class Paint:
    """Paint of the body.

    Attributes:
        name: Everyday name of the main colour, a key of `colours.SHADES`.
        rgb: Main colour, sRGB.
        metallic: Share of metal flakes, 0 (plain) to 1.
        second_name: Name of the second colour; None for one colour only.
        second_rgb: Second colour, sRGB; equal to `rgb` for one colour only.
        layout: Where the second colour is: "none", "roof", "lower" (below the waist) or "stripe" (band along the side).
    """

    name: str
    rgb: RGB
    metallic: float
    second_name: str | None
    second_rgb: RGB
    layout: Literal["none", "roof", "lower", "stripe"]


@dataclass(frozen=True, slots=True)
class Wheels:
    """Rims: number of spokes, their pattern and colour (sRGB)."""

    spokes: int
    pattern: Literal["spoke", "double", "hubcap", "steel"]
    rgb: RGB


@dataclass(frozen=True, slots=True)
class Mark:
    """A sticker, badge or patch of damage on the body.

    Attributes:
        kind: "sticker_round", "sticker_square", "sticker_strip" or a kind of damage ("dent",
            "primer_panel", "scratch", "rust", "missing_hubcap").
        side: Where it is: "left", "right" or "rear".
        along: Place along that side, 0 (right in the picture of the side) to 1.
        up: Height, as a share of the vehicle's height.
        size: Width in metres.
        rgb: Colour, sRGB.
    """

    kind: str
    side: Literal["left", "right", "rear"]
    along: float
    up: float
    size: float
    rgb: RGB


@dataclass(frozen=True, slots=True)
class Rider:
    """Who rides a motorcycle: colours (sRGB) of jacket, trousers, helmet and bag, and height in metres."""

    jacket: RGB
    trousers: RGB
    helmet: RGB
    bag: RGB
    height: float


@dataclass(frozen=True, slots=True)
class Identity:
    """One vehicle. Everything that a camera could tell it by; nothing of how it was seen.

    Attributes:
        seed: The number it was drawn from.
        body: Body type.
        length: Bumper to bumper, metres. `width`, `height`, `wheelbase` and `wheel_radius` likewise.
        shape: Six numbers in [0, 1] that move the profile within its type: bonnet length, windscreen rake, roof arch,
            tail, waistline, nose height.
        lamps: Three numbers in [0, 1]: height, width and wrap of head and tail lights.
        grille: Style of the front, 0..4.
        paint: Colours.
        wheels: Rims.
        extras: Sorted names of what is fitted, such as "roof_rack" (all: see docs/synthetic.md).
        lettering: Company name on the sides; empty for none.
        lettering_rgb: Its colour.
        marks: Stickers and damage.
        load: What a pickup or motorcycle carries; empty for nothing.
        load_rgb: Its colour.
        rider: Who rides it; None unless a motorcycle.
        dirt: 0 (washed) to 1.
    """

    seed: int
    body: Body
    length: float
    width: float
    height: float
    wheelbase: float
    wheel_radius: float
    shape: tuple[float, ...]
    lamps: tuple[float, ...]
    grille: int
    paint: Paint
    wheels: Wheels
    extras: tuple[str, ...]
    lettering: str
    lettering_rgb: RGB
    marks: tuple[Mark, ...]
    load: str
    load_rgb: RGB
    rider: Rider | None
    dirt: float

    @classmethod
    def sample(cls, seed: int, body: Body | None = None) -> Identity:
        """Draw a vehicle; the same seed gives the same vehicle on every machine.

        Args:
            seed: Any integer >= 0.
            body: Body type; drawn by `BODY_SHARE` where None.

        Raises:
            ValueError: Negative seed or unknown body type.
        """
        if seed < 0:
            raise ValueError(f"seed must be 0 or more, not {seed}")
        if body is not None and body not in BODIES:
            raise ValueError(f"body must be one of {', '.join(BODIES)}, not {body!r}")
        # A string seed goes through SHA-512, and uniform draws of random.Random are guaranteed never to change.
        rng = Random(f"vehicle identity {seed}")
        kind: Body = pick(rng, BODY_SHARE)  # type: ignore[assignment]
        kind = body or kind
        paint = _sample_paint(rng, kind)
        extras = tuple(sorted(name for name, odds in _EXTRAS[kind].items() if rng.random() < odds))
        length, width, height, wheelbase, radius = (
            _round(mid + rng.uniform(-half, half)) for mid, half in _SIZES[kind]
        )
        lettering, lettering_rgb = _sample_lettering(rng, kind, paint)
        load = _one(rng, _LOADS[kind]) if kind in _LOADS and rng.random() < 0.45 else ""
        return cls(
            seed=seed,
            body=kind,
            length=length,
            width=width,
            height=height,
            wheelbase=wheelbase,
            wheel_radius=radius,
            shape=tuple(_round(rng.random()) for _ in range(6)),
            lamps=tuple(_round(rng.random()) for _ in range(3)),
            grille=int(rng.random() * 5),
            paint=paint,
            wheels=_sample_wheels(rng, kind),
            extras=extras,
            lettering=lettering,
            lettering_rgb=lettering_rgb,
            marks=_sample_marks(rng, kind),
            load=load,
            load_rgb=_one(rng, ((150, 112, 70), (40, 84, 120), (60, 92, 60), (120, 120, 116), (170, 60, 40))),
            rider=_sample_rider(rng) if kind == "motorcycle" else None,
            dirt=_round(rng.random() ** 2),
        )

    def describe(self) -> str:
        """Caption in plain English, for instance "a white van with a roof rack and a dented side"."""
        name = "scooter" if "scooter" in self.extras else _BODY_WORDS[self.body]
        second = self.paint.second_name
        colour = f"{self.paint.name} and {second}" if second and self.paint.layout != "stripe" else self.paint.name
        features = [phrase for extra, phrase in _EXTRA_WORDS.items() if extra in self.extras]
        if second and self.paint.layout == "stripe":
            features.append(f"a {second} stripe")
        if self.lettering:
            features.append("lettering on its sides")
        if self.load:
            features.append(_LOAD_WORDS[self.load])
        features += list(dict.fromkeys(_MARK_WORDS[mark.kind] for mark in self.marks))
        article = "an" if colour[0] in "aeiou" else "a"
        return f"{article} {colour} {name}" + (f" with {_listed(features)}" if features else "")


_BODY_WORDS: Final[dict[str, str]] = {"suv": "SUV", "box_truck": "box truck"} | {
    name: name for name in BODIES if name not in {"suv", "box_truck"}
}
_EXTRA_WORDS: Final[dict[str, str]] = {
    "roof_rack": "a roof rack",
    "roof_box": "a roof box",
    "spoiler": "a spoiler",
    "sunroof": "a sunroof",
    "taxi_sign": "a taxi sign",
    "spare_wheel": "a spare wheel on the back",
    "ladder": "a ladder",
    "side_windows": "side windows",
    "bull_bar": "a bull bar",
    "roll_bar": "a roll bar",
    "roof_deflector": "a roof deflector",
    "cooler": "a cooling unit",
    "top_box": "a top box",
    "windscreen": "a windscreen",
    "backpack": "a rider with a backpack",
}
_LOAD_WORDS: Final[dict[str, str]] = {
    "crates": "a load of crates",
    "tarpaulin": "a load under a tarpaulin",
    "pipes": "a load of pipes",
    "parcel": "a parcel on the seat",
}
_MARK_WORDS: Final[dict[str, str]] = {
    "sticker_round": "a sticker",
    "sticker_square": "a sticker",
    "sticker_strip": "a sticker",
    "dent": "a dent",
    "primer_panel": "a panel in primer",
    "scratch": "a scratch",
    "rust": "rust",
    "missing_hubcap": "a missing hubcap",
}


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _round(value: float) -> float:
    # Four decimals: a tenth of a millimetre, and no last-bit differences between machines.
    return round(value, 4)


def _one(rng: Random, options: tuple[T, ...]) -> T:
    return options[int(rng.random() * len(options))]


def _sample_paint(rng: Random, body: Body) -> Paint:
    work = body in {"van", "box_truck", "bus"}
    name = pick(rng, WORK_SHARE if work else CAR_SHARE)
    rgb = shade(rng, name)
    metallic = 0.0 if name == "white" or work else _round(rng.uniform(0.3, 1.0))
    if name == "silver":
        metallic = 0.9
    odds = {"hatchback": 0.15, "suv": 0.12, "bus": 0.7, "van": 0.2, "motorcycle": 0.4, "pickup": 0.15}.get(body, 0.03)
    second = pick(rng, {key: 1.0 for key in SHADES if key != name})
    if body in {"hatchback", "suv"}:
        second = "black" if name not in {"black", "grey", "blue"} else "white"
    second_rgb = shade(rng, second)
    layouts: tuple[Literal["roof", "lower", "stripe"], ...] = (
        ("lower", "stripe") if work or body == "pickup" else ("roof",)
    )
    if rng.random() >= odds:
        return Paint(name, rgb, metallic, None, rgb, "none")
    return Paint(name, rgb, metallic, second, second_rgb, _one(rng, layouts))


def _sample_wheels(rng: Random, body: Body) -> Wheels:
    patterns: tuple[Literal["spoke", "double", "hubcap", "steel"], ...] = ("spoke", "double", "spoke", "hubcap")
    if body in {"van", "box_truck", "bus"}:
        patterns = ("steel", "steel", "hubcap")
    colours: tuple[RGB, ...] = ((178, 180, 183), (150, 152, 156), (200, 200, 200), (44, 44, 47), (96, 98, 102))
    return Wheels(5 + int(rng.random() * 6), _one(rng, patterns), _one(rng, colours))


def _sample_lettering(rng: Random, body: Body, paint: Paint) -> tuple[str, RGB]:
    odds = {"van": 0.55, "box_truck": 0.75, "bus": 0.5, "pickup": 0.12, "hatchback": 0.06}.get(body, 0.0)
    light = sum(paint.rgb) > 380
    colours: tuple[RGB, ...] = (
        ((20, 60, 130), (160, 24, 28), (24, 100, 60), (30, 30, 34)) if light else ((240, 240, 236), (240, 206, 60))
    )
    name, colour = _one(rng, _NAMES), _one(rng, colours)
    return (name if rng.random() < odds else ""), colour


def _sample_marks(rng: Random, body: Body) -> tuple[Mark, ...]:
    sides: tuple[Literal["left", "right", "rear"], ...] = ("left", "right", "rear")
    colours: tuple[RGB, ...] = ((230, 210, 40), (30, 110, 190), (200, 40, 40), (235, 235, 230), (40, 150, 70))
    marks = []
    if rng.random() < 0.3:
        kind = _one(rng, ("sticker_round", "sticker_square", "sticker_strip"))
        marks.append(_mark(rng, kind, _one(rng, sides), rng.uniform(0.12, 0.3), _one(rng, colours)))
    if body != "motorcycle" and rng.random() < 0.3:
        kind = _one(rng, _DAMAGES)
        rgb: RGB = (112, 62, 34) if kind == "rust" else (128, 126, 124)
        marks.append(_mark(rng, kind, _one(rng, ("left", "right")), rng.uniform(0.25, 0.55), rgb))
    return tuple(marks)


def _mark(rng: Random, kind: str, side: Literal["left", "right", "rear"], size: float, rgb: RGB) -> Mark:
    return Mark(kind, side, _round(rng.uniform(0.15, 0.85)), _round(rng.uniform(0.34, 0.5)), _round(size), rgb)


def _sample_rider(rng: Random) -> Rider:
    clothes: tuple[RGB, ...] = (
        (28, 28, 32),
        (60, 66, 78),
        (120, 122, 126),
        (36, 60, 110),
        (140, 40, 44),
        (196, 192, 184),
        (70, 92, 60),
        (214, 120, 40),
        (188, 120, 140),
    )
    trousers: tuple[RGB, ...] = ((24, 26, 32), (44, 54, 78), (84, 80, 72), (60, 60, 62))
    helmets: tuple[RGB, ...] = (
        (232, 232, 230),
        (22, 22, 24),
        (170, 30, 32),
        (40, 70, 140),
        (150, 152, 156),
        (220, 190, 50),
    )
    return Rider(
        _one(rng, clothes), _one(rng, trousers), _one(rng, helmets), _one(rng, clothes), _round(rng.uniform(1.6, 1.84))
    )
