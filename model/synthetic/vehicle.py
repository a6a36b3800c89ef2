"""From an identity to its mesh and paint: what the stage draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from model.synthetic.atlas import GAP, Atlas
from model.synthetic.fittings import bed, cargo_box, extras, mirrors, paint_rim, wheels
from model.synthetic.forms import form_of, loft
from model.synthetic.motorcycle import motorcycle
from model.synthetic.paintwork import Painter
from model.synthetic.shapes import Surface, box, join

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.synthetic.forms import Form
    from model.synthetic.identity import Identity


@dataclass(frozen=True, slots=True, eq=False)
class Vehicle:
    """A vehicle ready to be drawn.

    Attributes:
        surface: All of its skin, in metres, standing on z = 0, heading along +x.
        colour: Atlas of colours, uint8, shape (rows, columns, 4), sRGB and opacity (0 where the skin has a hole).
        finish: Atlas of finishes, uint8, shape (rows, columns, 3): metal, gloss, lamp.
    """

    surface: Surface
    colour: NDArray[np.uint8]
    finish: NDArray[np.uint8]


def build(identity: Identity) -> Vehicle:
    """Model and paint a vehicle; takes some tens of milliseconds."""
    atlas = Atlas(identity.length, identity.width, identity.height)
    parts = motorcycle(identity, atlas) if identity.body == "motorcycle" else _car(identity, atlas)
    return Vehicle(join(parts), np.asarray(atlas.colour), np.asarray(atlas.finish))


def _car(identity: Identity, atlas: Atlas) -> list[Surface]:
    form = form_of(identity)
    Painter(identity, form, atlas).paint()
    paint_rim(identity.wheels, atlas)
    parts = [
        atlas.project(loft(form)),
        _wells(form, atlas),
        *mirrors(identity, form, atlas),
        *extras(identity, form, atlas),
    ]
    axles = form.axles
    if identity.body == "box_truck":
        axles = (axles[0], axles[0] - identity.wheelbase)
        parts += cargo_box(identity, form, atlas)
    parts += bed(identity, form, atlas)
    return parts + wheels(identity, form, atlas, axles)


def _wells(form: Form, atlas: Atlas) -> Surface:
    """Dark block inside the body: what is seen through the wheel arches."""
    front, rear = float(form.top[0, 0]) - 0.40, float(form.top[-1, 0]) + 0.30
    low, high = form.clearance + 0.02, 2 * form.arch
    centre = [(front + rear) / 2, 0.0, (low + high) / 2]
    return box(centre, [front - rear, form.width - 0.66, high - low]).coloured(atlas.swatch(GAP))
