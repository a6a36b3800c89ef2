"""Profiles of the bodies: where bonnet, glass, roof, doors and axles of each type lie, and their skins."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from model.synthetic.shapes import Array, Surface, from_grid, join, rounded_path

if TYPE_CHECKING:
    from model.synthetic.identity import Identity

SPACING = 0.07
"""Largest distance between two cross-sections of a skin, metres."""


@dataclass(frozen=True, slots=True)
class Form:
    """Lines from which a skin is lofted and painted. All metres; x forward from the middle, z up from the ground.

    Attributes:
        top: Outline of the upper side in the middle plane from nose to tail, shape (N, 2): (x, z), x never growing.
        width: Largest width.
        clearance: Height of the sill.
        nose: (length, depth) of the rounding of the front corners seen from above; `tail` likewise.
        belt: Height of the lower edge of the side windows at the front and at the rear end.
        tumble: How far the sides lean in above the belt, metres per metre.
        edge: Radius between side and roof.
        axles: x of the axles, front to rear.
        arch: Radius of the wheel arches.
        windscreen: x where the windscreen begins (bonnet) and ends (roof).
        rear_glass: x where the rear window begins (roof) and ends; None where there is none.
        panes: Side windows, each (front x, rear x).
        doors: x of the vertical door gaps.
        dents: Points (x, side -1 right or 1 left, z, radius) where the skin is pushed in.
        bed: Open load bed, (front x, rear x); None where there is none.
    """

    top: Array
    width: float
    clearance: float
    nose: tuple[float, float]
    tail: tuple[float, float]
    belt: tuple[float, float]
    tumble: float
    edge: float
    axles: tuple[float, ...]
    arch: float
    windscreen: tuple[float, float]
    rear_glass: tuple[float, float] | None
    panes: tuple[tuple[float, float], ...]
    doors: tuple[float, ...]
    dents: tuple[tuple[float, float, float, float], ...] = field(default=())
    bed: tuple[float, float] | None = None

    def top_at(self, x: Array) -> Array:
        """Height of the upper outline at x, metres."""
        height: Array = np.interp(x, self.top[::-1, 0], self.top[::-1, 1])
        return height

    def belt_at(self, x: Array) -> Array:
        """Height of the belt line at x, metres."""
        height: Array = np.interp(x, [self.top[-1, 0], self.top[0, 0]], self.belt[::-1])
        return height

    def half_width(self, x: Array) -> Array:
        """Half the width at x, at the widest height, metres."""

        def corner(distance: Array, rounding: tuple[float, float]) -> Array:
            missing = np.clip(1 - distance / rounding[0], 0, 1)
            return rounding[1] * (1 - np.sqrt(1 - missing**2.4))

        return self.width / 2 - corner(self.top[0, 0] - x, self.nose) - corner(x - self.top[-1, 0], self.tail)

    def roof_half(self, x: Array, z: Array) -> Array:
        """Half the width of the upper side at x, where that is z high: up to its bend down to the side."""
        lean = np.maximum(z - self.belt_at(x), 0) * self.tumble
        return np.maximum(self.half_width(x) - lean - self.edge * 0.8, 0.05)


def loft(form: Form) -> Surface:
    """Closed skin of a form: cross-sections along the upper outline, and a cap at each end."""
    sections = _sections(form)
    skin = from_grid(sections[:, ::-1], closed=True)
    return join([skin, _cap(sections[0], 1.0), _cap(sections[-1], -1.0)])


def _sections(form: Form) -> Array:
    """Cross-sections of the skin, shape (stations, points, 3), from the sill's middle up the left side and over."""
    x, top = form.top[:, 0][:, None], form.top[:, 1][:, None]
    half = form.half_width(x)
    end = np.minimum(form.top[0, 0] - x, x - form.top[-1, 0])
    bottom = form.clearance + 0.12 * np.clip(1 - end / 0.45, 0, 1) ** 2
    edge = np.minimum(form.edge, (top - bottom) * 0.45)
    crown = 0.035 * half
    rise = np.linspace(0, 1, 15)[None, :]
    side_z = bottom + 0.03 + (top - crown - edge - bottom - 0.03) * rise
    side_y = _side_width(form, x, side_z, half)
    angle = np.linspace(0, np.pi / 2, 7)[None, 1:]
    arc_y = side_y[:, -1:] - edge * (1 - np.cos(angle))
    arc_z = side_z[:, -1:] + edge * np.sin(angle)
    across = np.linspace(1, 0, 7)[None, 1:]
    roof_y = arc_y[:, -1:] * across
    roof_z = arc_z[:, -1:] + crown * (1 - across**2)
    floor_y = np.concatenate([np.zeros_like(half), side_y[:, :1] * 0.7, side_y[:, :1] - 0.04], axis=1)
    floor_z = np.repeat(bottom, 3, axis=1)
    y = np.concatenate([floor_y, side_y, arc_y, roof_y], axis=1)
    z = np.concatenate([floor_z, side_z, arc_z, roof_z], axis=1)
    left = np.stack([np.broadcast_to(x, y.shape), y, z], axis=-1)
    right = left[:, -2:0:-1] * np.array([1.0, -1.0, 1.0])
    sections = np.concatenate([left, right], axis=1)
    return _dented(form, sections)


def _side_width(form: Form, x: Array, z: Array, half: Array) -> Array:
    """Half width of the side at height z: tucked in at the sill, creased at the shoulder, leaning in above the belt."""
    belt = form.belt_at(x)
    tuck = 0.05 * np.clip((form.clearance + 0.38 - z) / 0.38, 0, 1) ** 2
    crease = 0.016 * np.exp(-(((z - belt + 0.13) / 0.05) ** 2)) - 0.014 * np.exp(-(((z - belt + 0.34) / 0.10) ** 2))
    lean = np.maximum(z - belt, 0) * form.tumble
    flare = np.zeros_like(z)
    for axle in form.axles:
        distance = np.hypot(x - axle, z - form.arch)
        flare = np.maximum(flare, 0.025 * np.exp(-(((distance - form.arch) / 0.09) ** 2)))
    return np.maximum(half - tuck + crease - lean + flare, 0.05)


def _dented(form: Form, sections: Array) -> Array:
    for x, side, z, radius in form.dents:
        distance = np.hypot(sections[..., 0] - x, sections[..., 2] - z)
        depth = 0.07 * np.exp(-((distance / (0.5 * radius)) ** 2)) * (np.sign(sections[..., 1]) == side)
        sections[..., 1] -= side * depth
    return sections


def _cap(section: Array, facing: float) -> Surface:
    """Slightly bulging lid on one end of the skin, facing forward (1) or backward (-1)."""
    centre = section.mean(axis=0)
    rings = [
        centre + (section - centre) * scale + [facing * 0.05 * (1 - scale**2), 0, 0] for scale in (1.0, 0.8, 0.5, 0.02)
    ]
    grid = np.stack(rings)
    return from_grid(grid if facing > 0 else grid[:, ::-1], closed=True)


def form_of(identity: Identity) -> Form:
    """Lines of the main body of a vehicle (of the cab, for a box truck).

    Raises:
        ValueError: A motorcycle, which has no such body.
    """
    makers = {
        "sedan": _sedan,
        "hatchback": _hatchback,
        "suv": _suv,
        "van": _van,
        "pickup": _pickup,
        "box_truck": _truck_cab,
        "bus": _bus,
    }
    if identity.body not in makers:
        raise ValueError(f"a {identity.body} has no lofted body")
    return makers[identity.body](identity)


def _dents(identity: Identity) -> tuple[tuple[float, float, float, float], ...]:
    return tuple(
        (
            (mark.along - 0.5) * identity.length * 0.9,
            1.0 if mark.side == "left" else -1.0,
            mark.up * identity.height,
            mark.size,
        )
        for mark in identity.marks
        if mark.kind == "dent"
    )


def _outline(corners: list[tuple[float, float, float]]) -> Array:
    """Outline through (x, z, rounding) corners."""
    data = np.array(corners)
    return rounded_path(data[:, :2], data[:, 2], SPACING)


def _nose(identity: Identity, front: float, height: float) -> list[tuple[float, float, float]]:
    """Bumper and bonnet edge of a car whose bonnet begins `height` above the ground."""
    lift = 0.05 * identity.shape[5]
    return [
        (front, 0.40, 0),
        (front - 0.005, 0.56, 0.04),
        (front - 0.05, height - 0.06 + lift, 0.05),
        (front - 0.16, height + 0.02 + lift, 0.09),
    ]


def _sedan(v: Identity) -> Form:
    front, rear, top = v.length / 2, -v.length / 2, v.height
    bonnet, rake, arch, tail, waist, _ = v.shape
    cowl = front - 1.22 - 0.16 * bonnet
    roof = cowl - 0.72 - 0.14 * rake
    roof_end = roof - 1.32 + 0.1 * arch
    deck = rear + 0.38 + 0.26 * tail
    deck_height = 1.0 + 0.07 * tail
    outline = _outline(
        [
            *_nose(v, front, 0.72),
            (cowl, 0.96, 0.25),
            (roof, top - 0.03, 0.42),
            ((roof + roof_end) / 2, top + 0.012 * arch, 0.5),
            (roof_end, top - 0.06, 0.5),
            (deck, deck_height, 0.3),
            (rear + 0.07, deck_height - 0.04, 0.09),
            (rear + 0.02, 0.72, 0.08),
            (rear, 0.42, 0),
        ]
    )
    axle = front - 0.86 - 0.06 * bonnet
    middle = roof - 0.42
    return Form(
        top=outline, width=v.width, clearance=0.2, nose=(0.75, 0.30), tail=(0.6, 0.22),
        belt=(0.90 + 0.03 * waist, 0.96 + 0.05 * waist), tumble=0.42, edge=0.11,
        axles=(axle, axle - v.wheelbase), arch=v.wheel_radius + 0.055,
        windscreen=(cowl - 0.02, roof + 0.06), rear_glass=(roof_end - 0.05, deck + 0.06),
        panes=((cowl - 0.12, middle + 0.03), (middle - 0.05, roof_end - 0.22 - 0.1 * tail)),
        doors=(cowl - 0.05, middle - 0.01, roof_end + 0.12), dents=_dents(v),
    )  # fmt: skip


def _hatchback(v: Identity) -> Form:
    front, rear, top = v.length / 2, -v.length / 2, v.height
    bonnet, rake, arch, tail, waist, _ = v.shape
    cowl = front - 0.92 - 0.14 * bonnet
    roof = cowl - 0.66 - 0.14 * rake
    roof_end = rear + 0.42 + 0.14 * tail
    outline = _outline(
        [
            *_nose(v, front, 0.76),
            (cowl, 0.98, 0.22),
            (roof, top - 0.03, 0.40),
            ((roof + roof_end) / 2, top + 0.01 * arch, 0.5),
            (roof_end, top - 0.07 - 0.03 * arch, 0.14),
            (rear + 0.12, 0.98, 0.10),
            (rear + 0.03, 0.72, 0.08),
            (rear, 0.42, 0),
        ]
    )
    axle = front - 0.80
    middle = roof - 0.42
    return Form(
        top=outline, width=v.width, clearance=0.2, nose=(0.65, 0.28), tail=(0.45, 0.18),
        belt=(0.91 + 0.03 * waist, 0.98 + 0.08 * waist), tumble=0.36, edge=0.11,
        axles=(axle, axle - v.wheelbase), arch=v.wheel_radius + 0.05,
        windscreen=(cowl - 0.02, roof + 0.06), rear_glass=(roof_end - 0.04, rear + 0.15),
        panes=((cowl - 0.12, middle + 0.03), (middle - 0.05, roof_end + 0.06)),
        doors=(cowl - 0.05, middle - 0.01, middle - 0.85), dents=_dents(v),
    )  # fmt: skip


def _suv(v: Identity) -> Form:
    front, rear, top = v.length / 2, -v.length / 2, v.height
    bonnet, rake, arch, tail, waist, _ = v.shape
    cowl = front - 1.15 - 0.14 * bonnet
    roof = cowl - 0.62 - 0.14 * rake
    roof_end = rear + 0.26 + 0.22 * tail
    lift = top - 1.72
    outline = _outline([
        (front, 0.50, 0), (front - 0.01, 0.70, 0.05), (front - 0.10, 0.94 + lift, 0.11),
        (cowl, 1.12 + lift, 0.2),
        (roof, top - 0.02, 0.36),
        ((roof + roof_end) / 2, top + 0.012 * arch, 0.5),
        (roof_end, top - 0.05 - 0.03 * arch, 0.13),
        (rear + 0.09, 1.08 + lift, 0.10),
        (rear + 0.03, 0.80, 0.08),
        (rear, 0.50, 0),
    ])  # fmt: skip
    axle = front - 0.88
    middle = roof - 0.48
    return Form(
        top=outline, width=v.width, clearance=0.27, nose=(0.55, 0.24), tail=(0.35, 0.15),
        belt=(1.06 + 0.03 * waist + lift, 1.10 + 0.07 * waist + lift), tumble=0.30, edge=0.12,
        axles=(axle, axle - v.wheelbase), arch=v.wheel_radius + 0.065,
        windscreen=(cowl - 0.02, roof + 0.06), rear_glass=(roof_end - 0.04, rear + 0.13),
        panes=((cowl - 0.12, middle + 0.03), (middle - 0.05, middle - 0.93), (middle - 1.0, roof_end + 0.05)),
        doors=(cowl - 0.05, middle - 0.01, middle - 0.97), dents=_dents(v),
    )  # fmt: skip


def _van(v: Identity) -> Form:
    front, rear, top = v.length / 2, -v.length / 2, v.height
    bonnet, rake, _, tail, waist, _ = v.shape
    cowl = front - 0.62 - 0.30 * bonnet
    roof = cowl - 0.55 - 0.22 * rake - 0.12 * (top - 1.9)
    outline = _outline([
        (front, 0.46, 0), (front - 0.02, 0.70, 0.06), (front - 0.13, 0.94, 0.14),
        (cowl, 1.16, 0.18),
        (roof, top - 0.06, 0.32),
        (roof - 0.5, top - 0.005, 0.4),
        (rear + 0.14 + 0.08 * tail, top - 0.02, 0.12),
        (rear + 0.02, 0.85, 0.12),
        (rear, 0.40, 0),
    ])  # fmt: skip
    axle = front - 0.88
    door = roof - 0.28
    windows = "side_windows" in v.extras
    back = rear + 0.35
    middle = (door - 0.1 + back) / 2
    panes = ((cowl - 0.10, door + 0.05), *(((door - 0.08, middle + 0.04), (middle - 0.04, back)) if windows else ()))
    return Form(
        top=outline, width=v.width, clearance=0.24, nose=(0.55, 0.24), tail=(0.18, 0.09),
        belt=(1.08 + 0.04 * waist, 1.14 + 0.04 * waist), tumble=0.13, edge=0.13,
        axles=(axle, axle - v.wheelbase), arch=v.wheel_radius + 0.055,
        windscreen=(cowl - 0.02, roof + 0.07),
        rear_glass=(rear + 0.11, rear + 0.02) if windows or tail > 0.35 else None,
        panes=panes, doors=(cowl - 0.06, door, door - 1.05), dents=_dents(v),
    )  # fmt: skip


def _pickup(v: Identity) -> Form:
    front, rear, top = v.length / 2, -v.length / 2, v.height
    bonnet, rake, arch, _, waist, _ = v.shape
    cowl = front - 1.32 - 0.12 * bonnet
    roof = cowl - 0.60 - 0.12 * rake
    cab_end = roof - 1.30
    rail = 1.10 + 0.05 * waist
    outline = _outline([
        (front, 0.52, 0), (front - 0.01, 0.74, 0.05), (front - 0.08, 1.0, 0.10),
        (cowl, 1.14, 0.2),
        (roof, top - 0.02, 0.32),
        ((roof + cab_end) / 2, top + 0.01 * arch, 0.4),
        (cab_end, top - 0.04, 0.12),
        (cab_end - 0.14, rail, 0.03),
        (rear + 0.04, rail - 0.01, 0.03),
        (rear + 0.01, 0.72, 0.06),
        (rear, 0.52, 0),
    ])  # fmt: skip
    axle = front - 0.92
    middle = roof - 0.44
    return Form(
        top=outline, width=v.width, clearance=0.34, nose=(0.50, 0.20), tail=(0.10, 0.05),
        belt=(1.10 + 0.03 * waist, 1.13 + 0.03 * waist), tumble=0.30, edge=0.10,
        axles=(axle, axle - v.wheelbase), arch=v.wheel_radius + 0.07,
        windscreen=(cowl - 0.02, roof + 0.06), rear_glass=(cab_end - 0.015, cab_end - 0.12),
        panes=((cowl - 0.12, middle + 0.03), (middle - 0.05, cab_end + 0.12)),
        doors=(cowl - 0.05, middle - 0.01, cab_end + 0.05), dents=_dents(v), bed=(cab_end - 0.22, rear + 0.10),
    )  # fmt: skip


def _truck_cab(v: Identity) -> Form:
    front, rake, waist = v.length / 2, v.shape[1], v.shape[4]
    rear = front - 1.75
    top = 2.12 + 0.14 * v.shape[2]
    cowl = front - 0.10 - 0.05 * rake
    roof = front - 0.42 - 0.18 * rake
    outline = _outline([
        (front, 0.50, 0), (front - 0.02, 0.95, 0.08), (cowl, 1.18, 0.08),
        (roof, top - 0.05, 0.20),
        (roof - 0.5, top, 0.3),
        (rear + 0.02, top - 0.02, 0.10),
        (rear + 0.01, 0.9, 0.05),
        (rear, 0.55, 0),
    ])  # fmt: skip
    axle = front - 1.10
    return Form(
        top=outline, width=min(v.width - 0.12, 2.0), clearance=0.42, nose=(0.30, 0.18), tail=(0.08, 0.05),
        belt=(1.22 + 0.05 * waist, 1.22 + 0.05 * waist), tumble=0.10, edge=0.12,
        axles=(axle,), arch=v.wheel_radius + 0.06,
        windscreen=(cowl - 0.01, roof + 0.07), rear_glass=None, panes=((front - 0.38, rear + 0.42),),
        doors=(front - 0.28, rear + 0.30), dents=(),
    )  # fmt: skip


def _bus(v: Identity) -> Form:
    front, rear, top = v.length / 2, -v.length / 2, v.height
    rake, waist = v.shape[1], v.shape[4]
    cowl, roof = front - 0.03, front - 0.22 - 0.15 * rake
    outline = _outline([
        (front, 0.40, 0), (cowl, 1.10, 0.1),
        (roof, top - 0.22, 0.25),
        (roof - 0.35, top, 0.30),
        (rear + 0.30, top, 0.22),
        (rear + 0.06, top - 0.25, 0.2),
        (rear + 0.01, 1.2, 0.2),
        (rear, 0.40, 0),
    ])  # fmt: skip
    axle = front - 2.5
    count = 6 + int(2 * v.shape[0])
    edges = np.linspace(front - 1.45, rear + 0.45, count + 1)
    panes = (
        (front - 0.45, front - 1.25),
        *((float(a) - 0.035, float(b) + 0.035) for a, b in itertools.pairwise(edges)),
    )
    return Form(
        top=outline, width=v.width, clearance=0.30, nose=(0.35, 0.20), tail=(0.25, 0.14),
        belt=(1.32 + 0.12 * waist, 1.32 + 0.12 * waist), tumble=0.05, edge=0.20,
        axles=(axle, axle - v.wheelbase), arch=v.wheel_radius + 0.07,
        windscreen=(cowl - 0.005, roof + 0.02), rear_glass=(rear + 0.10, rear + 0.02),
        panes=panes, doors=(front - 0.40, front - 1.30), dents=_dents(v),
    )  # fmt: skip
