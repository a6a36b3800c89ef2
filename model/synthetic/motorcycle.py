"""Motorcycles and scooters with their riders, put together from tubes and rounded solids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.synthetic.atlas import (
    AMBER,
    CHROME,
    GLASS,
    HEADLAMP,
    PLASTIC,
    PLATE,
    RUBBER,
    TAILLAMP,
    Atlas,
    Finish,
    darker,
)
from model.synthetic.fittings import STEEL, paint_rim, wheel
from model.synthetic.paintwork import finish_of, second_finish_of
from model.synthetic.shapes import Surface, box, rounded_box, tube

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.synthetic.identity import Identity, Rider

Point = tuple[float, float, float]


def motorcycle(identity: Identity, atlas: Atlas) -> list[Surface]:
    """All parts of a motorcycle and its rider, wheels on the ground, steering straight."""
    paint_rim(identity.wheels, atlas)
    builder = _Builder(identity, atlas)
    builder.wheels()
    if "scooter" in identity.extras:
        builder.scooter()
    else:
        builder.standard()
    builder.cockpit()
    builder.tail()
    if identity.rider:
        builder.rider(identity.rider)
    return builder.parts


class _Builder:
    def __init__(self, identity: Identity, atlas: Atlas) -> None:
        self.parts: list[Surface] = []
        self._v = identity
        self._atlas = atlas
        self._paint = finish_of(identity)
        self._second = second_finish_of(identity)
        self._front, self._rear = identity.wheelbase / 2, -identity.wheelbase / 2
        self._scooter = "scooter" in identity.extras
        self._seat = 0.78 + 0.03 * identity.shape[3]

    def _add(self, surface: Surface, finish: Finish) -> None:
        self.parts.append(surface.coloured(self._atlas.swatch(finish)))

    def _pair(self, surface: Surface, finish: Finish) -> None:
        self._add(surface, finish)
        self._add(surface.mirrored(), finish)

    def _limb(self, path: Sequence[Point], radius: Sequence[float] | float, finish: Finish) -> None:
        self._pair(tube(path, radius, 9), finish)

    def wheels(self) -> None:
        radius, width = self._v.wheel_radius, 0.12 if self._scooter else 0.13
        for x in (self._front, self._rear):
            one = wheel(self._atlas, radius, width)
            self.parts += [one.moved([x, 0, radius]), one.mirrored().moved([x, 0, radius])]
        self._limb(
            [(self._front, 0.085, radius), (self._front - 0.12, 0.085, 0.62), (self._front - 0.22, 0.06, 0.92)],
            0.026,
            STEEL,
        )
        fender = tube(
            [
                (self._front + r * np.cos(a), 0, radius + r * np.sin(a))
                for r, a in ((radius + 0.05, t) for t in np.linspace(0.1, 2.4, 8))
            ],
            0.06,
            10,
        )
        self._add(fender, self._paint if self._v.grille % 2 else PLASTIC)
        self._limb([(self._rear, 0.10, radius), (self._rear + 0.15, 0.11, 0.62)], 0.028, RUBBER)

    def scooter(self) -> None:
        shield = rounded_box([0, 0, 0], [0.16, 0.42, 0.66], 0.6).turned(-18, 1).moved([self._front - 0.30, 0, 0.66])
        self._add(shield, self._paint)
        self._add(rounded_box([self._front - 0.23, 0, 0.60], [0.10, 0.20, 0.34], 0.7).turned(0, 1), self._second)
        self._add(rounded_box([0.0, 0, 0.30], [0.62, 0.32, 0.12], 0.4), PLASTIC)
        self._add(rounded_box([self._rear + 0.24, 0, 0.56], [0.86, 0.36, 0.40], 0.6), self._paint)
        self._add(rounded_box([self._rear + 0.16, 0, 0.60], [0.60, 0.385, 0.16], 0.6), self._second)
        self._add(rounded_box([self._rear + 0.30, 0, self._seat], [0.76, 0.30, 0.13], 0.5), RUBBER)
        self._add(rounded_box([self._rear + 0.05, 0.12, 0.32], [0.46, 0.12, 0.18], 0.6), STEEL)
        self._add(
            tube(
                [(self._rear + 0.2, -0.16, 0.30), (self._rear, -0.17, 0.31), (self._rear - 0.22, -0.18, 0.36)],
                [0.05, 0.06, 0.055],
                10,
            ),
            PLASTIC,
        )

    def standard(self) -> None:
        tank = rounded_box([0, 0, 0], [0.56, 0.30, 0.28], 0.75).turned(6, 1).moved([0.14, 0, 0.83])
        self._add(tank, self._paint)
        self._add(rounded_box([0.16, 0, 0.82], [0.36, 0.315, 0.07], 0.7), self._second)
        self._add(rounded_box([0.06, 0, 0.46], [0.44, 0.30, 0.34], 0.5), darker(STEEL, 0.6))
        self._add(tube([(0.30, 0, 0.92), (0.22, 0, 0.6), (0.05, 0, 0.32), (-0.2, 0, 0.36)], 0.04), RUBBER)
        self._add(rounded_box([self._rear + 0.28, 0, self._seat], [0.72, 0.27, 0.11], 0.5), RUBBER)
        cowl = (
            rounded_box([0, 0, 0], [0.5, 0.22, 0.16], 0.7)
            .turned(10, 1)
            .moved([self._rear + 0.02, 0, self._seat - 0.02])
        )
        self._add(cowl, self._paint)
        self._pair(rounded_box([0.0, 0.14, 0.62], [0.36, 0.06, 0.2], 0.7), self._paint)
        pipe = [
            (0.25, -0.12, 0.36),
            (0.0, -0.17, 0.26),
            (self._rear + 0.1, -0.18, 0.30),
            (self._rear - 0.25, -0.19, 0.42),
        ]
        self._add(tube(pipe, [0.025, 0.03, 0.05, 0.06], 10), CHROME if "chrome_trim" in self._v.extras else PLASTIC)
        self._limb([(self._rear, 0.07, self._v.wheel_radius), (-0.1, 0.08, 0.42)], 0.03, RUBBER)

    def cockpit(self) -> None:
        x = self._front - 0.26
        self._limb([(x + 0.02, 0.02, 1.0), (x - 0.04, 0.2, 1.05), (x - 0.12, 0.34, 1.03)], 0.018, RUBBER)
        head = rounded_box([x + 0.10, 0, 0.96], [0.2, 0.24 if self._scooter else 0.2, 0.2], 0.75)
        self._add(head, self._paint if self._scooter else PLASTIC)
        self._add(rounded_box([x + 0.17, 0, 0.95], [0.08, 0.17, 0.14], 0.8), HEADLAMP)
        self._limb([(x - 0.02, 0.24, 1.06), (x + 0.01, 0.29, 1.18)], 0.008, RUBBER)
        self._pair(rounded_box([x, 0.31, 1.2], [0.04, 0.13, 0.09], 0.6), PLASTIC)
        self._pair(rounded_box([x - 0.02, 0.31, 1.2], [0.02, 0.11, 0.07], 0.6), GLASS)
        self._pair(rounded_box([x + 0.1, 0.16, 0.88], [0.05, 0.07, 0.05], 0.8), AMBER)
        if "windscreen" in self._v.extras:
            self._add(
                rounded_box([0, 0, 0], [0.03, 0.36, 0.40], 0.6).turned(-25, 1).moved([x + 0.12, 0, 1.22]),
                darker(GLASS, 3.0),
            )

    def tail(self) -> None:
        x, z = self._rear - 0.20, self._seat - 0.10
        self._add(rounded_box([x, 0, z], [0.09, 0.24 if self._scooter else 0.17, 0.10], 0.5), TAILLAMP)
        self._pair(rounded_box([x, 0.14, z - 0.05], [0.05, 0.07, 0.05], 0.8), AMBER)
        self._add(box([x - 0.05, 0, z - 0.20], [0.02, 0.22, 0.16]), PLATE)
        self._add(box([x - 0.045, 0, z - 0.06], [0.16, 0.10, 0.28]), PLASTIC)
        for row in (-0.165, -0.235):
            for y in (-0.07, -0.025, 0.025, 0.07):
                self._add(box([x - 0.062, y, z + row], [0.004, 0.026, 0.042]), Finish((120, 122, 126), gloss=0.3))
        if "top_box" in self._v.extras:
            self._add(rounded_box([x - 0.02, 0, self._seat + 0.26], [0.36, 0.42, 0.32], 0.35), PLASTIC)
            self._add(box([x - 0.195, 0, self._seat + 0.22], [0.02, 0.26, 0.05]), TAILLAMP)
        elif self._v.load == "parcel":
            self._add(
                rounded_box([x + 0.08, 0, self._seat + 0.24], [0.42, 0.46, 0.36], 0.12),
                Finish(self._v.load_rgb, gloss=0.2),
            )

    def rider(self, who: Rider) -> None:
        size = who.height / 1.72
        jacket, trousers = Finish(who.jacket, gloss=0.15), Finish(who.trousers, gloss=0.12)
        hip = (self._rear + 0.42, 0.0, self._seat + 0.08)
        lean = 0.10 if self._scooter else 0.20
        chest = (hip[0] + lean, 0.0, hip[2] + 0.46 * size)
        trunk = rounded_box([0, 0, 0], [0.27, 0.42 * size, 0.64 * size], 0.72, 16).turned(np.degrees(lean / 0.6), 1)
        self._add(trunk.moved([(hip[0] + chest[0]) / 2, 0, (hip[2] + chest[2]) / 2 + 0.02]), jacket)
        self._add(rounded_box([chest[0] - 0.01, 0, chest[2]], [0.24, 0.50 * size, 0.26], 0.8), jacket)
        self._add(rounded_box([hip[0] + 0.02, 0, hip[2]], [0.34, 0.40 * size, 0.22], 0.8), trousers)
        self._head(who, (chest[0] + 0.06, 0.0, chest[2] + 0.31 * size))
        hand = (self._front - 0.37, 0.33, 1.05)
        elbow = ((chest[0] + hand[0]) / 2 - 0.02, 0.34 * size, (chest[2] + hand[2]) / 2 - 0.06)
        self._limb([(chest[0], 0.21 * size, chest[2] + 0.08), elbow, hand], [0.085, 0.062, 0.045], jacket)
        self._pair(rounded_box(hand, [0.11, 0.09, 0.09], 0.8), Finish((172, 130, 106), gloss=0.2))
        knee = (hip[0] + 0.44 * size, 0.20 if self._scooter else 0.23, hip[2] - 0.04)
        foot = (hip[0] + 0.34, 0.17, 0.40) if self._scooter else (hip[0] + 0.10, 0.22, 0.36)
        self._limb([(hip[0], 0.11, hip[2]), knee, (foot[0], foot[1], foot[2] + 0.05)], [0.105, 0.085, 0.055], trousers)
        self._pair(rounded_box([foot[0] + 0.06, foot[1], foot[2]], [0.27, 0.10, 0.10], 0.6), RUBBER)
        if "backpack" in self._v.extras:
            bag = rounded_box([0, 0, 0], [0.20, 0.31, 0.46], 0.55).turned(np.degrees(lean / 0.6), 1)
            self._add(bag.moved([chest[0] - 0.24, 0, chest[2] - 0.14]), Finish(who.bag, gloss=0.2))
            self._add(
                rounded_box([chest[0] - 0.345, 0, chest[2] - 0.22], [0.06, 0.22, 0.18], 0.5),
                darker(Finish(who.bag, gloss=0.2), 0.75),
            )

    def _head(self, who: Rider, place: Point) -> None:
        self._add(rounded_box(place, [0.30, 0.25, 0.29], 0.95, 14), Finish(who.helmet, gloss=0.8))
        self._add(rounded_box([place[0] + 0.09, 0, place[2] - 0.01], [0.14, 0.225, 0.12], 0.9), GLASS)
        self._add(
            rounded_box([place[0] - 0.01, 0, place[2] - 0.02], [0.295, 0.256, 0.045], 0.95),
            darker(Finish(who.helmet, gloss=0.8), 0.6),
        )
        self._add(
            rounded_box([place[0] - 0.01, 0, place[2] - 0.15], [0.13, 0.13, 0.14], 0.9),
            Finish((150, 112, 92), gloss=0.2),
        )
