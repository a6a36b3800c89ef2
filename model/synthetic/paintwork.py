"""Painting of a lofted body: glass, gaps, lamps, grille, plate, two-tone, lettering, marks and dirt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model.synthetic.atlas import (
    AMBER,
    CHROME,
    GAP,
    GLASS,
    HEADLAMP,
    HOLE,
    PLASTIC,
    PLATE,
    TAILLAMP,
    Atlas,
    Finish,
    Panel,
    darker,
)

if TYPE_CHECKING:
    from model.synthetic.forms import Form
    from model.synthetic.identity import Identity, Mark
    from model.synthetic.shapes import Array

_WORK = frozenset({"van", "box_truck", "bus"})


def finish_of(identity: Identity) -> Finish:
    """The main paint."""
    return Finish(
        identity.paint.rgb, metal=0.45 * identity.paint.metallic, gloss=0.6 if identity.body not in _WORK else 0.45
    )


def second_finish_of(identity: Identity) -> Finish:
    """The second paint; the main one where there is only one."""
    return Finish(identity.paint.second_rgb, metal=0.3 * identity.paint.metallic, gloss=0.6)


class Painter:
    """Paints one body onto an atlas."""

    def __init__(self, identity: Identity, form: Form, atlas: Atlas) -> None:
        self._v = identity
        self._form = form
        self._atlas = atlas
        self._paint = finish_of(identity)
        self._second = second_finish_of(identity)
        self._gap = darker(self._paint, 0.30)
        self._front, self._rear = float(form.top[0, 0]), float(form.top[-1, 0])
        tint = 0.6 if "tinted" in identity.extras else 1.25
        self._glass = darker(GLASS, tint)

    def paint(self) -> None:
        """Paint every side."""
        for panel in (self._atlas.left, self._atlas.right):
            self._side(panel)
        self._top()
        self._nose()
        self._tail()
        for mark in self._v.marks:
            self._mark(mark)
        if self._v.dirt > 0.08:  # less is not seen
            for number, panel in enumerate((self._atlas.left, self._atlas.right, self._atlas.front, self._atlas.rear)):
                self._atlas.soil(panel, 0.75 * self._v.dirt, 0.55 * self._v.height, self._v.seed * 4 + number)

    # -- sides ---------------------------------------------------------------------------------------------------

    def _side(self, panel: Panel) -> None:
        atlas, form, v = self._atlas, self._form, self._v
        atlas.cover(panel, self._paint)
        self._side_second(panel)
        sill = form.clearance + (0.16 if "cladding" in v.extras else 0.07)
        atlas.rectangle(panel, (self._rear - 0.1, self._front + 0.1), (0.0, sill), PLASTIC)
        belt_x = np.linspace(self._rear + 0.3, self._front - 0.3, 12)
        crease = darker(self._paint, 0.8)
        atlas.line(panel, np.stack([belt_x, form.belt_at(belt_x) - 0.17], 1), 0.012, crease)
        self._bumpers(panel)
        self._panes(panel)
        self._doors(panel, sill)
        self._side_lamps(panel)
        self._arches(panel)
        if v.lettering:
            self._lettering(panel)

    def _side_second(self, panel: Panel) -> None:
        form, layout = self._form, self._v.paint.layout
        x = np.array([self._rear - 0.2, self._front + 0.2])
        waist = form.belt_at(x)
        if layout == "roof":
            edge = form.belt_at(x) + 0.02
            self._band(panel, x, edge, np.full(2, 4.0))
        elif layout == "lower":
            self._band(panel, x, np.zeros(2), waist - 0.34)
        elif layout == "stripe":
            self._band(panel, x, waist - 0.30, waist - 0.12)

    def _band(self, panel: Panel, x: Array, low: Array, high: Array) -> None:
        outline = np.concatenate([np.stack([x, low], 1), np.stack([x, high], 1)[::-1]])
        self._atlas.polygon(panel, outline, self._second)

    def _bumpers(self, panel: Panel) -> None:
        v = self._v
        if v.body in {"van", "pickup", "box_truck"} or "cladding" in v.extras:
            high = self._form.clearance + 0.30
            bumper = CHROME if "chrome_trim" in v.extras and v.body == "pickup" else PLASTIC
            self._atlas.rectangle(panel, (self._front - 0.42, self._front + 0.2), (0, high), bumper)
            if v.body != "box_truck":
                self._atlas.rectangle(panel, (self._rear - 0.2, self._rear + 0.28), (0, high - 0.04), bumper)
        else:
            for end, inward in ((self._front, -1), (self._rear, 1)):
                line = [(end + inward * 0.52, 0.30), (end + inward * 0.46, 0.60), (end, 0.64)]
                self._atlas.line(panel, line, 0.010, self._gap)

    def _window_band(self, x: Array, margin: float) -> tuple[Array, Array]:
        """Lower and upper edge of the glass at x: the belt, and the outline less the roof rail."""
        form = self._form
        slope = np.abs(np.gradient(form.top_at(x), x)) if len(x) > 1 else np.zeros_like(x)
        upper = form.top_at(x) - (form.edge * 0.75 + margin) * np.sqrt(1 + np.minimum(slope, 2.5) ** 2)
        return form.belt_at(x) + 0.03 + margin * 0.4, upper

    def _panes(self, panel: Panel) -> None:
        if self._v.body not in {"van", "box_truck"}:
            frame = self._form.panes[-1][1] - 0.03, self._form.panes[0][0] + 0.04
            self._pane(panel, frame, 0.025, GAP)
            if "chrome_trim" in self._v.extras and self._v.body != "bus":
                x = np.linspace(frame[0] + 0.02, frame[1] - 0.1, 20)
                self._atlas.line(panel, np.stack([x, self._form.belt_at(x) + 0.015], 1), 0.02, CHROME)
        for number, (front, rear) in enumerate(self._form.panes):
            self._pane(panel, (rear, front), 0.05, self._glass)
            seat = darker(self._glass, 1.9)
            if self._v.body in {"sedan", "hatchback", "suv", "pickup"} and number < 2:  # two rows
                place = rear + 0.16
                z = float(self._form.belt_at(np.array([place]))[0])
                self._atlas.rectangle(panel, (place, place + 0.20), (z + 0.05, z + 0.19), seat)

    def _pane(self, panel: Panel, reach: tuple[float, float], margin: float, finish: Finish) -> None:
        x = np.linspace(reach[0], reach[1], 40)
        low, high = self._window_band(x, margin)
        # The cut rises slowly at the rear end, so that the last corner is not a needle.
        keep = high > low + 0.02
        if keep.sum() > 1:
            outline = np.concatenate([np.stack([x, low], 1)[keep], np.stack([x, high], 1)[keep][::-1]])
            self._atlas.polygon(panel, outline, finish)

    def _doors(self, panel: Panel, sill: float) -> None:
        form, v = self._form, self._v
        if v.body == "bus":
            self._bus_doors(panel)
            return
        for number, x in enumerate(form.doors):
            belt = float(form.belt_at(np.array([x]))[0])
            top = float(form.top_at(np.array([x]))[0]) - 0.15 if v.body == "van" else belt + 0.05
            bottom = sill + 0.03
            self._atlas.line(
                panel, [(x, top), (x, belt - 0.2), (x + (0.05 if number == 0 else 0.0), bottom)], 0.014, self._gap
            )
        reach = form.doors[-1], form.doors[0]
        self._atlas.line(panel, [(reach[0], sill + 0.02), (reach[1], sill + 0.02)], 0.014, self._gap)
        handle = CHROME if "chrome_trim" in v.extras else (PLASTIC if v.body in _WORK else darker(self._paint, 0.6))
        for x in form.doors[1:]:
            z = float(form.belt_at(np.array([x]))[0]) - 0.10
            self._atlas.rectangle(panel, (x + 0.07, x + 0.25), (z - 0.05, z - 0.005), darker(self._paint, 0.45))
            self._atlas.rectangle(panel, (x + 0.07, x + 0.25), (z - 0.025, z), handle)
        if v.body in {"sedan", "hatchback", "suv"} and panel is self._atlas.right:
            x = form.axles[1] - 0.25
            self._atlas.ellipse(panel, (x, float(form.belt_at(np.array([x]))[0]) - 0.14), (0.085, 0.085), self._gap)
            self._atlas.ellipse(panel, (x, float(form.belt_at(np.array([x]))[0]) - 0.14), (0.072, 0.072), self._paint)
        if v.body == "van":
            z = form.belt[1] - 0.08
            self._atlas.line(panel, [(form.doors[1] - 0.2, z), (self._rear + 0.2, z)], 0.022, self._gap)

    def _bus_doors(self, panel: Panel) -> None:
        if panel is self._atlas.left:
            return
        middle = (self._form.axles[0] + self._form.axles[1]) / 2
        for rear in (self._front - 1.55, middle - 0.6):
            self._atlas.rectangle(panel, (rear - 0.03, rear + 1.18), (0.36, 2.45), GAP)
            for leaf in (rear + 0.03, rear + 0.60):
                self._atlas.rectangle(panel, (leaf, leaf + 0.52), (0.50, 2.38), self._glass)

    def _side_lamps(self, panel: Panel) -> None:
        height, size, wrap = self._v.lamps
        head_z, tail_z = self._lamp_heights()
        reach = 0.20 + 0.20 * wrap
        if self._v.body not in {"bus", "box_truck"}:
            low, high = head_z - 0.06 - 0.02 * size, head_z + 0.055 + 0.045 * height
            self._atlas.polygon(
                panel,
                [
                    (self._front + 0.1, low),
                    (self._front - reach * 0.7, low + 0.02),
                    (self._front - reach - 0.22, high),
                    (self._front + 0.1, high),
                ],
                HEADLAMP,
            )  # fmt: skip
        if self._v.body in {"sedan", "hatchback", "suv"}:
            tall = 0.07 + 0.07 * size
            reach = 0.10 + 0.22 * wrap
            self._atlas.polygon(
                panel,
                [
                    (self._rear - 0.1, tail_z - tall),
                    (self._rear + reach, tail_z - tall * 0.4),
                    (self._rear + reach + 0.05, tail_z + tall),
                    (self._rear - 0.1, tail_z + tall),
                ],
                TAILLAMP,
            )  # fmt: skip
        self._atlas.rectangle(panel, (self._front - 0.66, self._front - 0.60), (head_z - 0.14, head_z - 0.11), AMBER)

    def _lamp_heights(self) -> tuple[float, float]:
        height = self._v.lamps[0]
        head = {
            "sedan": 0.64,
            "hatchback": 0.67,
            "suv": 0.82,
            "van": 0.86,
            "pickup": 0.88,
            "box_truck": 0.72,
            "bus": 0.74,
        }
        tail = {
            "sedan": 0.84,
            "hatchback": 0.90,
            "suv": 0.98,
            "van": 1.0,
            "pickup": 0.92,
            "box_truck": 0.78,
            "bus": 0.95,
        }
        return head[self._v.body] + 0.04 * height + 0.05 * self._v.shape[5], tail[self._v.body] + 0.04 * height

    def _arches(self, panel: Panel) -> None:
        radius = self._form.arch
        trim = PLASTIC if "cladding" in self._v.extras else self._gap
        width = 0.075 if "cladding" in self._v.extras else 0.014
        for axle in self._form.axles:
            centre = (axle, self._v.wheel_radius)
            self._atlas.ellipse(panel, centre, (radius + width, radius + width), trim)
            self._atlas.ellipse(panel, centre, (radius, radius), HOLE)
            self._atlas.rectangle(panel, (axle - radius, axle + radius), (0.0, self._v.wheel_radius), HOLE)

    def _lettering(self, panel: Panel) -> None:
        v, form = self._v, self._form
        finish = Finish(v.lettering_rgb, gloss=0.45)
        if v.body == "van":
            blank = "side_windows" not in v.extras
            place = (form.doors[1] - 1.2, 1.46 if blank else 0.86)
            self._atlas.text(panel, place, 0.30 if blank else 0.2, v.lettering, finish)
        elif v.body == "bus":
            self._atlas.text(panel, (form.axles[1] + 1.9, 0.92), 0.34, v.lettering, finish)
        elif v.body != "box_truck":
            self._atlas.text(panel, (form.doors[1] + 0.1, 0.62), 0.14, v.lettering, finish)

    # -- above ---------------------------------------------------------------------------------------------------

    def _top(self) -> None:
        atlas, form, v = self._atlas, self._form, self._v
        atlas.cover(atlas.top, self._paint)
        if v.paint.layout == "roof":
            roof_rear = form.rear_glass[1] if form.rear_glass else self._rear
            atlas.rectangle(atlas.top, (roof_rear, form.windscreen[0]), (-2.0, 2.0), self._second)
        self._glass_from_above(form.windscreen, 0.03)
        if form.rear_glass:
            self._glass_from_above(form.rear_glass, 0.05)
        if "sunroof" in v.extras:
            atlas.rectangle(
                atlas.top, (form.windscreen[1] - 0.95, form.windscreen[1] - 0.22), (-0.42, 0.42), darker(GLASS, 0.7)
            )
        if v.body in {"sedan", "hatchback", "suv", "pickup"}:
            self._bonnet()
        if v.body == "sedan" and form.rear_glass:
            line = [
                (form.rear_glass[1] - 0.04, -0.62),
                (self._rear + 0.05, -0.6),
                (self._rear + 0.05, 0.6),
                (form.rear_glass[1] - 0.04, 0.62),
            ]
            atlas.line(atlas.top, line, 0.012, self._gap)
        self._roof_details()
        if form.bed:
            half = self._v.width / 2 - 0.11
            atlas.rectangle(atlas.top, (form.bed[1], form.bed[0]), (-half, half), HOLE)

    def _roof_details(self) -> None:
        atlas, form, v = self._atlas, self._form, self._v
        if v.body == "van":
            for x in np.arange(self._rear + 0.6, form.windscreen[1] - 0.5, 0.55):
                atlas.line(atlas.top, [(x, -0.65), (x, 0.65)], 0.03, darker(self._paint, 0.82))
        if v.body == "bus":
            for x in (form.axles[0] - 0.6, form.axles[1] + 0.4):
                atlas.rectangle(atlas.top, (x - 0.4, x + 0.4), (-0.4, 0.4), darker(self._paint, 0.7))

    def _bonnet(self) -> None:
        cowl, gap = self._form.windscreen[0], self._gap
        for side in (-1, 1):
            line = [(cowl + 0.03, side * 0.66), (self._front - 0.42, side * 0.60), (self._front - 0.16, side * 0.44)]
            self._atlas.line(self._atlas.top, line, 0.012, gap)
            crease = [(cowl + 0.05, side * 0.40), (self._front - 0.30, side * 0.26)]
            self._atlas.line(self._atlas.top, crease, 0.02, darker(self._paint, 0.86))
        self._atlas.rectangle(self._atlas.top, (cowl - 0.02, cowl + 0.06), (-0.66, 0.66), PLASTIC)

    def _glass_from_above(self, reach: tuple[float, float], margin: float) -> None:
        x = np.linspace(reach[1], reach[0], 16)
        half = self._form.roof_half(x, self._form.top_at(x)) - margin
        outline = np.concatenate([np.stack([x, half], 1), np.stack([x, -half], 1)[::-1]])
        self._atlas.polygon(self._atlas.top, outline, self._glass)

    # -- ends ----------------------------------------------------------------------------------------------------

    def _glass_from_the_end(self, panel: Panel, reach: tuple[float, float], margin: float) -> None:
        # Two outlines meet where the glass is steep, so evenly spaced stations would miss its height.
        low, high = min(reach), max(reach)
        own = self._form.top[(self._form.top[:, 0] >= low) & (self._form.top[:, 0] <= high)]
        own = own[np.argsort(own[:, 1])]
        half = self._form.roof_half(own[:, 0], own[:, 1]) - margin
        outline = np.concatenate([np.stack([half, own[:, 1]], 1), np.stack([-half, own[:, 1]], 1)[::-1]])
        if len(own) > 1:
            self._atlas.polygon(panel, outline, self._glass)

    def _nose(self) -> None:
        atlas, form, v = self._atlas, self._form, self._v
        front = atlas.front
        atlas.cover(front, self._paint)
        if v.paint.layout == "lower":
            atlas.rectangle(front, (-2, 2), (0, form.belt[0] - 0.34), self._second)
        if v.paint.layout == "roof":
            atlas.rectangle(front, (-2, 2), (form.belt[0] + 0.06, 4), self._second)
        self._glass_from_the_end(front, form.windscreen, 0.03)
        head, _ = self._lamp_heights()
        half = v.width / 2
        self._grille(head, half)
        self._headlamps(head, half)
        self._plate(front, 0.44 if v.body in {"sedan", "hatchback"} else 0.56)
        if v.body == "bus":
            self._route_board()

    def _grille(self, head: float, half: float) -> None:
        atlas, v, front = self._atlas, self._v, self._atlas.front
        base = self._form.clearance
        dark_bumper = v.body in {"van", "pickup", "box_truck"} or "cladding" in v.extras
        if dark_bumper:
            bumper = CHROME if "chrome_trim" in v.extras and v.body == "pickup" else PLASTIC
            atlas.rectangle(front, (-2, 2), (0, base + 0.30), bumper)
        wide = half * (0.50, 0.62, 0.38, 0.55, 0.70)[v.grille]
        atlas.polygon(
            front,
            [(-wide, base + 0.08), (wide, base + 0.08), (wide * 0.86, base + 0.24), (-wide * 0.86, base + 0.24)],
            GAP,
        )
        if v.body == "bus":
            atlas.rectangle(front, (-half * 0.5, half * 0.5), (0.55, 0.66), GAP)
            return
        low, high = head - (0.05, 0.09, 0.12, 0.02, 0.07)[v.grille], head + (0.05, 0.06, 0.08, 0.04, 0.05)[v.grille]
        reach = half * (0.48, 0.42, 0.30, 0.52, 0.46)[v.grille]
        rim = CHROME if "chrome_trim" in v.extras or v.grille == 1 else GAP
        upper, lower = reach + 0.03, reach * 0.82 + 0.02
        outline = [(-upper, high + 0.02), (upper, high + 0.02), (lower, low - 0.02), (-lower, low - 0.02)]
        atlas.polygon(front, outline, rim)
        atlas.polygon(front, [(-reach, high), (reach, high), (reach * 0.82, low), (-reach * 0.82, low)], GAP)
        for z in np.arange(low + 0.03, high, 0.045):
            atlas.line(front, [(-reach * 0.85, z), (reach * 0.85, z)], 0.008, CHROME if v.grille in {1, 4} else PLASTIC)
        atlas.ellipse(front, (0, high - 0.02), (0.06, 0.05), CHROME)

    def _headlamps(self, head: float, half: float) -> None:
        height, size, _ = self._v.lamps
        front = self._atlas.front
        for side in (-1, 1):
            if self._v.body in {"bus", "box_truck"}:
                self._atlas.rectangle(
                    front, (side * (half - 0.52), side * (half - 0.14)), (head - 0.12, head + 0.10), GAP
                )
                for place in (0.42, 0.24):
                    self._atlas.ellipse(front, (side * (half - place), head - 0.01), (0.085, 0.085), HEADLAMP)
                continue
            inner, outer = half * (0.56 - 0.06 * size), half + 0.05
            low, high = head - 0.06 - 0.02 * size, head + 0.055 + 0.045 * height
            shape = [
                (side * inner, low + 0.03),
                (side * outer, low),
                (side * outer, high + 0.03),
                (side * inner, high - 0.03),
            ]
            self._atlas.polygon(front, shape, GAP)
            inner += 0.03
            shape = [
                (side * inner, low + 0.035),
                (side * outer, low + 0.015),
                (side * outer, high + 0.01),
                (side * inner, high - 0.04),
            ]
            self._atlas.polygon(front, shape, HEADLAMP)
            fog = self._form.clearance + 0.17
            self._atlas.ellipse(front, (side * half * 0.74, fog), (0.07, 0.05), GAP)
            self._atlas.ellipse(front, (side * half * 0.74, fog), (0.045, 0.04), HEADLAMP if size > 0.5 else CHROME)

    def _route_board(self) -> None:
        front, top = self._atlas.front, self._v.height
        self._atlas.rectangle(front, (-0.85, 0.85), (top - 0.42, top - 0.16), GAP)
        if "route_board" in self._v.extras:
            number = str(10 + self._v.seed % 90)
            self._atlas.text(
                front, (0.0, top - 0.29), 0.17, f"{number} CENTRAL", Finish((240, 170, 40), gloss=0.2, lamp=0.5)
            )

    def _plate(self, panel: Panel, z: float) -> None:
        """A number plate with marks that stand for characters and cannot be read: identity must not hang on it."""
        self._atlas.rectangle(panel, (-0.26, 0.26), (z - 0.065, z + 0.065), PLASTIC)
        self._atlas.rectangle(panel, (-0.24, 0.24), (z - 0.05, z + 0.05), PLATE)
        for place in np.linspace(-0.18, 0.18, 6):
            self._atlas.rectangle(
                panel, (place - 0.018, place + 0.018), (z - 0.028, z + 0.028), Finish((120, 122, 126), gloss=0.3)
            )

    def _tail(self) -> None:
        atlas, form, v = self._atlas, self._form, self._v
        rear, half = atlas.rear, v.width / 2
        atlas.cover(rear, self._paint)
        if v.paint.layout == "lower":
            atlas.rectangle(rear, (-2, 2), (0, form.belt[1] - 0.34), self._second)
        if v.paint.layout == "roof":
            atlas.rectangle(rear, (-2, 2), (form.belt[1] + 0.06, 4), self._second)
        if form.rear_glass:
            self._glass_from_the_end(rear, form.rear_glass, 0.05)
        self._rear_bumper(rear, half)
        _, tail = self._lamp_heights()
        self._tail_lamps(rear, tail, half)
        self._tail_gate(rear, tail, half)
        if v.body != "box_truck":
            low = v.grille % 2 == 0 and v.body in {"hatchback", "suv"}
            self._plate(rear, form.clearance + 0.30 if low else tail - 0.10 if v.body != "bus" else 0.62)

    def _rear_bumper(self, rear: Panel, half: float) -> None:
        v, form = self._v, self._form
        dark = v.body in {"van", "pickup"} or "cladding" in v.extras
        high = form.clearance + (0.26 if dark else 0.12)
        bumper = CHROME if "chrome_trim" in v.extras and v.body == "pickup" else PLASTIC
        self._atlas.rectangle(rear, (-2, 2), (0, high), bumper)
        self._atlas.line(rear, [(-half, high + 0.24), (half, high + 0.24)], 0.014, self._gap)
        for side in (-1, 1):
            reflector = (side * (half - 0.30), side * (half - 0.12))
            self._atlas.rectangle(rear, reflector, (high + 0.03, high + 0.06), TAILLAMP)
        if v.body in {"sedan", "hatchback"} and v.lamps[1] > 0.4:  # one in two shows its exhaust
            self._atlas.ellipse(rear, (half * 0.6, form.clearance + 0.05), (0.06, 0.035), CHROME)

    def _tail_lamps(self, rear: Panel, tail: float, half: float) -> None:
        v, (height, size, wrap) = self._v, self._v.lamps
        if v.body == "box_truck":
            return
        upright = v.body in {"van", "pickup", "bus"} or (v.body in {"suv", "hatchback"} and wrap > 0.6)
        wide, tall = (
            (0.14 + 0.05 * size, 0.18 + 0.12 * height) if upright else (0.28 + 0.12 * size, 0.06 + 0.05 * height)
        )
        if not upright and size > 0.6:  # a light bar all across
            self._atlas.rectangle(rear, (-half * 0.7, half * 0.7), (tail + 0.02, tail + 0.06), TAILLAMP)
        if v.body == "pickup":
            tall = 0.13  # what fits below the rail of the bed: higher up the panel shows the cab
        for side in (-1, 1):
            inner, outer = side * (half - wide), side * (half + 0.1)
            shape = [(inner, tail - tall * 0.7), (outer, tail - tall), (outer, tail + tall), (inner, tail + tall * 0.9)]
            self._atlas.polygon(rear, shape, TAILLAMP)
            middle = (inner + side * (half - 0.03)) / 2
            white = Finish((210, 205, 200), gloss=0.9)
            self._atlas.rectangle(
                rear, (middle - wide * 0.22, middle + wide * 0.22), (tail - tall * 0.35, tail - tall * 0.1), white
            )

    def _tail_gate(self, rear: Panel, tail: float, half: float) -> None:
        v, form = self._v, self._form
        if v.body == "van":
            self._atlas.line(rear, [(0.0, form.clearance + 0.26), (0.0, v.height - 0.1)], 0.02, self._gap)
            self._atlas.rectangle(rear, (0.05, 0.10), (tail - 0.05, tail + 0.12), PLASTIC)
        elif v.body == "pickup":
            self._atlas.rectangle(rear, (-0.14, 0.14), (tail + 0.02, tail + 0.08), PLASTIC)
        elif v.body == "bus":
            self._atlas.rectangle(rear, (-half * 0.6, half * 0.6), (0.75, 1.25), darker(self._paint, 0.75))
            for z in np.arange(0.8, 1.22, 0.07):
                self._atlas.line(rear, [(-half * 0.55, z), (half * 0.55, z)], 0.02, GAP)
        else:
            self._atlas.line(rear, [(-half * 0.8, tail + 0.12), (half * 0.8, tail + 0.12)], 0.012, self._gap)
            badge = CHROME if v.grille != 3 else GAP  # one maker's badge is black
            self._atlas.ellipse(rear, (0.0, tail + 0.04), (0.05, 0.045), badge)
            if "chrome_trim" in v.extras:
                self._atlas.rectangle(rear, (-0.3, 0.3), (tail - 0.03, tail - 0.005), CHROME)
        if "rear_wiper" in v.extras and form.rear_glass:
            z = float(form.top_at(np.array([form.rear_glass[1]]))[0]) if v.body != "van" else 1.2
            self._atlas.line(rear, [(0.02, z - 0.02), (-0.34, z + 0.07)], 0.02, PLASTIC)

    # -- marks ---------------------------------------------------------------------------------------------------

    def _mark(self, mark: Mark) -> None:
        v, atlas = self._v, self._atlas
        panel = {"left": atlas.left, "right": atlas.right, "rear": atlas.rear}[mark.side]
        span = v.width * 0.7 if mark.side == "rear" else v.length * 0.9
        across, up = (mark.along - 0.5) * span, mark.up * v.height
        finish = Finish(mark.rgb, gloss=0.3)
        half = mark.size / 2
        if mark.kind == "sticker_round":
            atlas.ellipse(panel, (across, up), (half, half), finish)
            atlas.ellipse(panel, (across, up), (half * 0.6, half * 0.6), darker(finish, 0.55))
        elif mark.kind in {"sticker_square", "sticker_strip"}:
            tall = half * (0.7 if mark.kind == "sticker_square" else 0.25)
            atlas.rectangle(panel, (across - half, across + half), (up - tall, up + tall), finish)
            atlas.rectangle(
                panel,
                (across - half * 0.7, across + half * 0.7),
                (up - tall * 0.3, up + tall * 0.3),
                darker(finish, 0.5),
            )
        elif mark.kind == "primer_panel":
            self._primer(panel, across, finish)
        elif mark.kind == "scratch":
            for step in (0.0, 0.035):
                atlas.line(
                    panel, [(across - half * 1.6, up + step), (across + half * 1.6, up + 0.06 + step)], 0.016, finish
                )
        elif mark.kind == "rust":
            rng = np.random.default_rng(v.seed)
            for dx, dz, size in rng.uniform(-1, 1, (9, 3)):
                radius = half * (0.25 + 0.2 * abs(size))
                centre = (across + dx * half, self._form.clearance + 0.14 + 0.06 * dz)
                atlas.ellipse(panel, centre, (radius, radius * 0.6), darker(finish, 0.9 + 0.2 * dz))

    def _primer(self, panel: Panel, across: float, finish: Finish) -> None:
        """One door or wing in primer: from one gap to the next, below the belt."""
        gaps = sorted((*self._form.doors, self._front - 0.5, self._rear + 0.4))
        number = int(np.clip(np.searchsorted(gaps, across), 1, len(gaps) - 1))
        x = np.linspace(gaps[number - 1] + 0.02, gaps[number] - 0.02, 8)
        low = np.full_like(x, self._form.clearance + 0.12)
        for axle in self._form.axles:
            reach = np.clip(1 - ((x - axle) / (self._form.arch + 0.03)) ** 2, 0, 1)
            low = np.maximum(low, self._v.wheel_radius + (self._form.arch + 0.03) * np.sqrt(reach) * (reach > 0))
        high = self._form.belt_at(x) - 0.03
        self._atlas.polygon(panel, np.concatenate([np.stack([x, low], 1), np.stack([x, high], 1)[::-1]]), finish)
