"""What is bolted to a body: wheels, mirrors, racks, spoilers, signs, ladders, boxes and loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.synthetic.atlas import CHROME, GAP, GLASS, HEADLAMP, PLASTIC, RUBBER, TAILLAMP, Atlas, Finish, darker
from model.synthetic.paintwork import finish_of, second_finish_of
from model.synthetic.shapes import Surface, box, from_grid, join, revolved, rounded_box, tube

if TYPE_CHECKING:
    from model.synthetic.forms import Form
    from model.synthetic.identity import Identity, Wheels

STEEL = Finish((120, 122, 124), metal=0.5, gloss=0.5)
FRAME = Finish((44, 44, 46), gloss=0.2)


def paint_rim(wheels: Wheels, atlas: Atlas) -> None:
    """Draw the outer face of a wheel: 1 is the edge of the tyre."""
    rim, metal = atlas.rim, Finish(wheels.rgb, metal=0.4, gloss=0.7)
    atlas.cover(rim, RUBBER)
    atlas.ellipse(rim, (0, 0), (0.70, 0.70), metal)
    atlas.ellipse(rim, (0, 0), (0.64, 0.64), GAP if wheels.pattern in {"spoke", "double"} else darker(metal, 0.85))
    if wheels.pattern in {"spoke", "double"}:
        _paint_spokes(wheels, atlas, metal)
    else:
        _paint_cover(wheels, atlas, metal)
    atlas.ellipse(rim, (0, 0), (0.09, 0.09), darker(metal, 0.6))


def _paint_spokes(wheels: Wheels, atlas: Atlas, metal: Finish) -> None:
    double = wheels.pattern == "double"
    for turn in np.arange(wheels.spokes) * 2 * np.pi / wheels.spokes:
        for shift in (-0.13, 0.13) if double else (0.0,):
            wide = 0.045 if double else 0.085
            along = np.array([np.cos(turn + shift), np.sin(turn + shift)])
            across = np.array([-along[1], along[0]]) * wide
            inner = np.array([np.cos(turn), np.sin(turn)]) * 0.08
            atlas.polygon(
                atlas.rim, [inner - across, along * 0.67 - across, along * 0.67 + across, inner + across], metal
            )
    atlas.ellipse(atlas.rim, (0, 0), (0.17, 0.17), metal)


def _paint_cover(wheels: Wheels, atlas: Atlas, metal: Finish) -> None:
    holes = wheels.spokes + (3 if wheels.pattern == "steel" else 0)
    for turn in np.arange(holes) * 2 * np.pi / holes:
        place = (0.48 * np.cos(turn), 0.48 * np.sin(turn))
        size = 0.075 if wheels.pattern == "steel" else 0.10
        atlas.ellipse(atlas.rim, place, (size, size), GAP)
    atlas.ellipse(atlas.rim, (0, 0), (0.28, 0.28), darker(metal, 0.7 if wheels.pattern == "steel" else 1.1))


def wheel(atlas: Atlas, radius: float, width: float, *, bare: bool = False) -> Surface:
    """Wheel about the origin, its outer face to the left (+y), textured; `bare` is a steel wheel without its cover."""
    half = width / 2
    profile = [
        (-half, radius * 0.60),
        (-half, radius * 0.90),
        (-half * 0.75, radius * 0.985),
        (0.0, radius),
        (half * 0.75, radius * 0.985),
        (half, radius * 0.90),
        (half * 0.97, radius * 0.72),
    ]
    tyre = revolved(profile).coloured(atlas.swatch(RUBBER))
    rings, steps = np.array([0.73, 0.60, 0.35, 0.12, 0.001]), 36
    depth = np.array([0.95, 0.72, 0.62, 0.74, 0.74])
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    grid = np.stack(
        [
            rings[:, None] * np.sin(angle) * radius,
            np.broadcast_to((depth * half)[:, None], (5, steps)),
            rings[:, None] * np.cos(angle) * radius,
        ],
        axis=-1,
    )
    disc = from_grid(grid, closed=True)
    uv = atlas.rim.uv(disc.points / radius)
    face = Surface(disc.points, disc.normals, uv, disc.triangles)
    if bare:
        face = face.coloured(atlas.swatch(Finish((58, 54, 50), gloss=0.15)))
    return join([tyre, face])


def wheels(identity: Identity, form: Form, atlas: Atlas, axles: tuple[float, ...]) -> list[Surface]:
    """All wheels of a car, van, truck or bus, standing on the ground."""
    radius = identity.wheel_radius
    width = {"bus": 0.30, "box_truck": 0.26, "suv": 0.25, "pickup": 0.25}.get(identity.body, 0.21)
    missing = {mark.side: round(mark.along) for mark in identity.marks if mark.kind == "missing_hubcap"}
    parts = []
    for number, axle in enumerate(axles):
        track = (
            float(form.half_width(np.array([axle]))[0])
            if number == 0 or identity.body != "box_truck"
            else identity.width / 2
        )
        place = [axle, track - width / 2 - 0.02, radius]
        for side in ("left", "right"):
            one = wheel(atlas, radius, width, bare=missing.get(side) == number)
            parts.append(one.moved(place) if side == "left" else one.moved(place).mirrored())
    return parts


def mirrors(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    """Both door mirrors: small ones at the front window, arms on buses and trucks."""
    paint = finish_of(identity) if identity.shape[5] > 0.3 and identity.body not in {"bus", "box_truck"} else PLASTIC
    if identity.body in {"bus", "box_truck"}:
        x, half = float(form.top[0, 0]) - 0.05, form.width / 2
        z = form.belt[0] + (0.75 if identity.body == "bus" else 0.45)
        arm = tube(
            [[x - 0.15, half - 0.08, z + 0.30], [x + 0.12, half + 0.12, z + 0.34], [x + 0.14, half + 0.20, z]], 0.02, 6
        )
        head = rounded_box([x + 0.14, half + 0.20, z - 0.06], [0.10, 0.20, 0.40], 0.4)
        one = [arm.coloured(atlas.swatch(PLASTIC)), head.coloured(atlas.swatch(PLASTIC))]
    else:
        x = form.panes[0][0] - 0.20
        z = float(form.belt_at(np.array([x]))[0]) + 0.07
        half = float(form.half_width(np.array([x]))[0])
        size = 1.2 if identity.body in {"van", "pickup", "suv"} else 1.0
        head = rounded_box([x, half + 0.10 * size, z], [0.13, 0.22 * size, 0.15 * size], 0.6)
        foot = rounded_box([x, half, z - 0.04], [0.08, 0.16, 0.05], 0.6)
        face = rounded_box([x - 0.055, half + 0.10 * size, z], [0.03, 0.19 * size, 0.12 * size], 0.5)
        one = [
            head.coloured(atlas.swatch(paint)),
            foot.coloured(atlas.swatch(PLASTIC)),
            face.coloured(atlas.swatch(GLASS)),
        ]
    return one + [part.mirrored() for part in one]


def extras(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    """Everything in `identity.extras` that is a part of its own on a lofted body."""
    makers = {
        "roof_rack": _roof_rack,
        "roof_box": _roof_box,
        "spoiler": _spoiler,
        "taxi_sign": _taxi_sign,
        "sharkfin": _sharkfin,
        "spare_wheel": _spare_wheel,
        "ladder": _ladder,
        "bull_bar": _bull_bar,
        "roll_bar": _roll_bar,
        "roof_pod": _roof_pod,
    }
    return [part for name in identity.extras if name in makers for part in makers[name](identity, form, atlas)]


def _roof(form: Form, identity: Identity) -> tuple[float, float, float]:
    """Front and rear end of the roof, and half the distance of its rails."""
    front = form.windscreen[1] - 0.12
    rear = form.rear_glass[0] + 0.10 if form.rear_glass else float(form.top[-1, 0]) + 0.3
    middle = np.array([(front + rear) / 2])
    half = float(form.roof_half(middle, form.top_at(middle))[0]) - 0.04
    del identity
    return front, rear, half


def _roof_rack(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    front, rear, half = _roof(form, identity)
    metal = atlas.swatch(STEEL if identity.grille % 2 else PLASTIC)
    x = np.linspace(front - 0.05, rear, 9)
    lift = np.where((x == x[0]) | (x == x[-1]), 0.0, 0.055)
    rail = tube(np.stack([x, np.full(9, half), form.top_at(x) + lift - 0.01], 1), 0.022, 8).coloured(metal)
    bars = []
    for share in (0.25, 0.72) if identity.body != "van" else (0.1, 0.37, 0.64, 0.9):
        place = front + (rear - front) * share
        z = float(form.top_at(np.array([place]))[0]) + 0.06
        bars.append(rounded_box([place, 0, z], [0.07, 2 * half + 0.06, 0.03], 0.4).coloured(metal))
    return [rail, rail.mirrored(), *bars]


def _roof_box(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    front, rear, half = _roof(form, identity)
    place = (front + rear) / 2
    z = float(form.top_at(np.array([place]))[0]) + 0.24
    shell = rounded_box([place + 0.1, half * 0.35, z], [1.75, 0.78, 0.34], 0.42)
    return [shell.coloured(atlas.swatch(Finish((40, 41, 44), gloss=0.5)))]


def _spoiler(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    paint = atlas.swatch(finish_of(identity) if identity.grille != 2 else PLASTIC)
    if identity.body == "sedan":
        x, half = float(form.top[-1, 0]) + 0.16, form.width / 2 - 0.24
        z = float(form.top_at(np.array([x]))[0])
        wing = rounded_box([x, 0, z + 0.13], [0.22, 2 * half, 0.035], 0.4).coloured(paint)
        leg = rounded_box([x, half * 0.7, z + 0.05], [0.10, 0.05, 0.16], 0.4).coloured(paint)
        return [wing, leg, leg.mirrored()]
    x = (form.rear_glass or (float(form.top[-1, 0]),))[0]
    z = float(form.top_at(np.array([x]))[0])
    half = float(form.roof_half(np.array([x]), np.array([z]))[0])
    return [rounded_box([x - 0.06, 0, z - 0.015], [0.34, 2 * half + 0.06, 0.06], 0.4).turned(0, 1).coloured(paint)]


def _taxi_sign(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    place = form.windscreen[1] - 0.35
    z = float(form.top_at(np.array([place]))[0])
    lit = atlas.swatch(Finish((240, 214, 90), gloss=0.4, lamp=0.35))
    del identity
    return [rounded_box([place, 0, z + 0.09], [0.16, 0.62, 0.18], 0.35).coloured(lit)]


def _sharkfin(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    place = (form.rear_glass or (0.0,))[0] + 0.15
    z = float(form.top_at(np.array([place]))[0])
    return [rounded_box([place, 0, z + 0.03], [0.20, 0.05, 0.10], 0.8).coloured(atlas.swatch(finish_of(identity)))]


def _spare_wheel(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    spare = wheel(atlas, identity.wheel_radius * 0.98, 0.2).turned(90, 2)
    return [spare.moved([float(form.top[-1, 0]) - 0.06, 0, 0.98])]


def _ladder(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    front, rear, half = _roof(form, identity)
    z = float(form.top.max(axis=0)[1]) + 0.13
    metal = atlas.swatch(STEEL)
    reach = max(front - rear - 0.2, 1.6)
    parts = [
        box([(front + rear) / 2, y, z], [reach, 0.03, 0.07]).coloured(metal) for y in (half * 0.2, half * 0.2 + 0.36)
    ]
    steps = np.linspace((front + rear - reach) / 2 + 0.1, (front + rear + reach) / 2 - 0.1, 9)
    parts += [box([x, half * 0.2 + 0.18, z], [0.035, 0.36, 0.03]).coloured(metal) for x in steps]
    parts += [box([x, 0, z - 0.07], [0.05, 2 * half, 0.05]).coloured(metal) for x in (steps[0], steps[-1])]
    return parts


def _bull_bar(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    x, metal = float(form.top[0, 0]) + 0.09, atlas.swatch(CHROME)
    hoop = [
        [x - 0.1, -0.42, 0.46],
        [x, -0.40, 0.80],
        [x, -0.30, 0.92],
        [x, 0.30, 0.92],
        [x, 0.40, 0.80],
        [x - 0.1, 0.42, 0.46],
    ]
    bar = [[x, -0.4, 0.66], [x, 0.0, 0.66], [x, 0.4, 0.66]]
    del identity
    return [tube(hoop, 0.035).coloured(metal), tube(bar, 0.03).coloured(metal)]


def _roll_bar(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    if form.bed is None:
        return []
    x, half, rail = form.bed[0] - 0.12, identity.width / 2 - 0.14, float(form.top_at(np.array([form.bed[1] + 0.5]))[0])
    metal = atlas.swatch(CHROME if identity.grille % 2 else PLASTIC)
    hoop = [[x, -half, rail - 0.1], [x, -half + 0.06, rail + 0.40], [x, -half + 0.2, rail + 0.5]]
    hoop += [[px, -py, pz] for px, py, pz in reversed(hoop)]
    brace = [[x, half - 0.08, rail + 0.38], [x - 0.3, half, rail + 0.15], [x - 0.55, half, rail - 0.02]]
    leg = tube(brace, 0.032).coloured(metal)
    return [tube(hoop, 0.038).coloured(metal), leg, leg.mirrored()]


def _roof_pod(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    shell = atlas.swatch(Finish((205, 206, 204), gloss=0.4))
    x, grille = form.axles[0] - 1.7 - 1.2 * identity.shape[2], atlas.swatch(PLASTIC)
    fans = [
        rounded_box([x + shift, 0, identity.height + 0.13], [0.4, 0.9, 0.24], 0.4).coloured(grille)
        for shift in (-0.5, 0.5)
    ]
    return [rounded_box([x, 0, identity.height + 0.09], [2.2, 1.7, 0.30], 0.3).coloured(shell), *fans]


def bed(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    """Inside of a pickup's load bed, and what lies in it."""
    if form.bed is None:
        return []
    front, rear = form.bed
    middle, reach, half = (front + rear) / 2, front - rear, identity.width / 2 - 0.10
    floor, rail = form.clearance + 0.32, float(form.top_at(np.array([middle]))[0]) - 0.05
    liner = atlas.swatch(darker(PLASTIC, 1.1) if identity.shape[3] > 0.5 else darker(finish_of(identity), 0.6))
    walls = [
        box([middle, 0, floor], [reach, 2 * half, 0.03]),
        box([front, 0, (floor + rail) / 2], [0.02, 2 * half, rail - floor]),
        box([rear, 0, (floor + rail) / 2], [0.02, 2 * half, rail - floor]),
        box([middle, half, (floor + rail) / 2], [reach, 0.02, rail - floor]),
        box([middle, -half, (floor + rail) / 2], [reach, 0.02, rail - floor]),
    ]
    return [wall.coloured(liner) for wall in walls] + _load(identity, atlas, (front, rear, half, floor, rail))


def _load(identity: Identity, atlas: Atlas, room: tuple[float, float, float, float, float]) -> list[Surface]:
    front, rear, half, floor, rail = room
    middle, reach = (front + rear) / 2, front - rear
    finish = Finish(identity.load_rgb, gloss=0.2)
    if identity.load == "tarpaulin":
        return [
            rounded_box([middle, 0, rail], [reach * 0.94, 2 * half * 0.95, 0.62], 0.55).coloured(atlas.swatch(finish))
        ]
    if identity.load == "pipes":
        return [
            tube(
                [[front - 0.1, y, rail - 0.15 + 0.03 * k], [middle, y, rail], [rear - 0.5, y, rail + 0.16]], 0.05, 8
            ).coloured(atlas.swatch(finish))
            for k, y in enumerate(np.linspace(-half * 0.5, half * 0.5, 6))
        ]  # fmt: skip
    if identity.load == "crates":
        shades = (1.0, 0.75, 1.2, 0.9)
        places = ((0.28, 0.4, 0.62), (0.28, -0.42, 0.52), (-0.2, 0.0, 0.72), (-0.25, 0.55, 0.45))
        return [
            rounded_box(
                [middle + reach * x, half * y, floor + tall / 2], [reach * 0.34, half * 0.75, tall], 0.12
            ).coloured(atlas.swatch(darker(finish, shade)))
            for (x, y, tall), shade in zip(places, shades, strict=True)
        ]
    return []


def cargo_box(identity: Identity, form: Form, atlas: Atlas) -> list[Surface]:
    """Box, frame, tanks and rear end of a box truck; its sides are painted on the side panels of the atlas."""
    v = identity
    cab_rear, rear = float(form.top[-1, 0]), -v.length / 2
    front = cab_rear - 0.12
    middle, reach = (front + rear) / 2, front - rear
    low = 0.95 + 0.1 * v.shape[3]
    tall = v.height - low
    side = (
        second_finish_of(v)
        if v.paint.layout == "lower"
        else Finish((226, 227, 224) if v.shape[0] < 0.6 else v.paint.rgb, gloss=0.35)
    )
    _paint_box(v, atlas, (front, rear, low), side)
    shell = atlas.project(rounded_box([middle, 0, low + tall / 2], [reach, v.width, tall], 0.06, 20))
    frame = atlas.swatch(FRAME)
    parts = [
        shell,
        box([middle + 0.2, 0, 0.72], [reach + 0.4, 0.8, 0.24]).coloured(frame),
        box([middle, 0, low - 0.05], [reach * 0.98, v.width - 0.2, 0.12]).coloured(frame),
        box([rear + 0.08, 0, 0.56], [0.10, v.width - 0.2, 0.12]).coloured(frame),
        box([front + 0.02, 0, 0.85], [0.5, 1.5, 0.5]).coloured(frame),
    ]
    for side_sign in (-1, 1):
        lamp = rounded_box([rear + 0.02, side_sign * (v.width / 2 - 0.22), 0.72], [0.06, 0.30, 0.14], 0.3)
        parts.append(lamp.coloured(atlas.swatch(TAILLAMP)))
        flap = box([form.axles[0] - v.wheelbase - 0.55, side_sign * (v.width / 2 - 0.2), 0.45], [0.02, 0.34, 0.5])
        parts.append(flap.coloured(atlas.swatch(RUBBER)))
    tank = rounded_box([form.axles[0] - 1.25, v.width / 2 - 0.35, 0.62], [0.85, 0.45, 0.45], 0.4)
    parts.append(tank.coloured(atlas.swatch(STEEL)))
    if "side_skirts" in v.extras:
        skirt = box(
            [(form.axles[0] + form.axles[0] - v.wheelbase) / 2 - 0.1, v.width / 2 - 0.05, 0.68],
            [v.wheelbase - 1.3, 0.03, 0.5],
        )
        parts += [skirt.coloured(atlas.swatch(finish_of(v))), skirt.mirrored().coloured(atlas.swatch(finish_of(v)))]
    return parts + _cab_extras(v, form, atlas, front)


def _paint_box(v: Identity, atlas: Atlas, room: tuple[float, float, float], side: Finish) -> None:
    front, rear, low = room
    top, line = v.height, darker(side, 0.62)
    for panel in (atlas.left, atlas.right):
        atlas.rectangle(panel, (rear - 0.1, front), (low, top + 0.1), side)
        for edge in (low + 0.05, top - 0.06):
            atlas.line(panel, [(rear, edge), (front, edge)], 0.05, line)
        for x in (rear + 0.03, front - 0.03):
            atlas.line(panel, [(x, low), (x, top)], 0.05, line)
        if v.shape[4] > 0.6:  # two in five boxes are of ribbed sheet
            for x in np.arange(rear + 0.3, front - 0.1, 0.28):
                atlas.line(panel, [(x, low + 0.08), (x, top - 0.1)], 0.02, darker(side, 0.85))
        if v.paint.layout == "stripe":
            atlas.rectangle(panel, (rear, front), (low + 0.35, low + 0.62), second_finish_of(v))
        if v.lettering:
            light = sum(side.rgb) > 380
            ink = (
                v.lettering_rgb
                if light == (sum(v.lettering_rgb) < 380)
                else ((34, 34, 38) if light else (240, 240, 236))
            )
            atlas.text(panel, ((front + rear) / 2, (low + top) / 2 + 0.2), 0.52, v.lettering, Finish(ink, gloss=0.35))
    back = atlas.rear
    atlas.rectangle(back, (-2, 2), (low, top + 0.1), side)
    atlas.line(back, [(0, low), (0, top)], 0.03, line)
    for y in (-0.62, -0.3, 0.3, 0.62):
        atlas.line(back, [(y, low + 0.05), (y, top - 0.05)], 0.025, STEEL)
    for y in (-1, 1):
        atlas.line(back, [(y * v.width / 2 * 0.97, low), (y * v.width / 2 * 0.97, top)], 0.06, line)
    atlas.rectangle(back, (-0.25, 0.25), (0.50, 0.62), Finish((200, 200, 194), gloss=0.3))
    atlas.rectangle(atlas.front, (-2, 2), (2.3, top + 0.1), side)
    atlas.rectangle(atlas.top, (rear - 0.1, front), (-2, 2), darker(side, 0.95))


def _cab_extras(v: Identity, form: Form, atlas: Atlas, front: float) -> list[Surface]:
    parts, top = [], float(form.top.max(axis=0)[1])
    paint = atlas.swatch(finish_of(v))
    if "roof_deflector" in v.extras and v.height - top > 0.3:  # no use below that
        parts.append(
            rounded_box([front + 0.55, 0, top + 0.14], [1.0, 1.6, min(0.62, 1.2 * (v.height - top))], 0.5).coloured(
                paint
            )
        )
    if "cooler" in v.extras and v.height - top > 0.3:
        parts.append(
            rounded_box([front + 0.14, 0, v.height - 0.30], [0.42, 1.3, 0.46], 0.25).coloured(
                atlas.swatch(darker(STEEL, 1.6))
            )
        )
    if "sun_visor" in v.extras:
        parts.append(
            rounded_box([form.windscreen[1] + 0.20, 0, top - 0.08], [0.28, 1.7, 0.05], 0.3).coloured(
                atlas.swatch(PLASTIC)
            )
        )
    for side in (-1, 1):
        lamp = rounded_box(
            [float(form.top[0, 0]) + 0.005, side * (form.width / 2 - 0.45), 0.62], [0.02, 0.2, 0.06], 0.4
        )
        parts.append(lamp.coloured(atlas.swatch(HEADLAMP)))
    return parts
