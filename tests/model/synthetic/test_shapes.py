"""Surfaces: closed, facing outward, of the right size."""

import numpy as np
import pytest

from model.synthetic import Identity
from model.synthetic.atlas import Atlas, Finish
from model.synthetic.forms import form_of, loft
from model.synthetic.identity import BODIES
from model.synthetic.shapes import Surface, box, face_normals, join, revolved, rounded_box, rounded_path, tube


def volume(surface: Surface) -> float:
    """Enclosed volume by the divergence theorem: positive only where the triangles face outward."""
    a, b, c = (surface.points[surface.triangles[:, corner]] for corner in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_box_has_its_volume() -> None:
    assert volume(box([1, 2, 3], [2, 3, 4])) == pytest.approx(24)


def test_rounded_box_lies_between_ellipsoid_and_box() -> None:
    assert volume(rounded_box([0, 0, 0], [2, 2, 2], 1.0, 40)) == pytest.approx(4 / 3 * np.pi, rel=0.02)
    assert 6.5 < volume(rounded_box([5, 0, 0], [2, 2, 2], 0.1, 40)) < 8


def test_tube_is_closed_whatever_its_direction() -> None:
    for end in ([3, 0, 0], [0, 3, 0], [0, 0, 3]):
        assert volume(tube([[0, 0, 0], end], 0.5, 60)) == pytest.approx(3 * np.pi / 4, rel=0.01)


def test_solid_of_revolution_faces_outward() -> None:
    cylinder = revolved([(-1, 0), (-1, 1), (1, 1), (1, 0)], 80)
    assert volume(cylinder) == pytest.approx(2 * np.pi, rel=0.01)


def test_mirror_and_turn_keep_the_outside_outside() -> None:
    solid = rounded_box([1, 2, 3], [1, 2, 3])
    assert volume(solid.mirrored()) == pytest.approx(volume(solid))
    assert volume(solid.turned(30, 2).moved([1, 1, 1])) == pytest.approx(volume(solid))
    facing = np.einsum("ij,ij->i", face_normals(solid.points, solid.triangles), solid.normals[solid.triangles[:, 0]])
    assert (facing >= -1e-9).all()


def test_path_is_rounded_and_dense() -> None:
    path = rounded_path([[0, 0], [1, 0], [1, 1]], [0, 0.3, 0], 0.1)
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() <= 0.1 + 1e-9
    assert np.linalg.norm(path - [1, 0], axis=1).min() > 0.05
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [1, 1]


@pytest.mark.parametrize("body", [body for body in BODIES if body != "motorcycle"])
@pytest.mark.parametrize("seed", [0, 5])
def test_skin_is_closed_and_as_large_as_the_identity_says(body: str, seed: int) -> None:
    identity = Identity.sample(seed, body)
    skin = loft(form_of(identity))
    low, high = skin.points.min(axis=0), skin.points.max(axis=0)
    assert np.isfinite(skin.normals).all()
    assert 0.4 * np.prod(high - low) < volume(skin) < np.prod(high - low)
    if body != "box_truck":
        assert high[0] - low[0] == pytest.approx(identity.length, abs=0.15)
        assert high[2] == pytest.approx(identity.height, abs=0.05)
    assert high[1] - low[1] == pytest.approx(form_of(identity).width, abs=0.08)


def test_dent_pushes_the_skin_in_on_its_side_only() -> None:
    identity = next(
        one
        for one in (Identity.sample(seed, "sedan") for seed in range(900))
        if any(m.kind == "dent" for m in one.marks)
    )
    form = form_of(identity)
    (_, side, _, _), *_ = form.dents
    skin, smooth = loft(form).points, loft(type(form)(**{**_fields(form), "dents": ()})).points
    moved = np.abs(skin - smooth).max(axis=1)
    assert moved.max() > 0.02
    assert (np.sign(smooth[moved > 0.001, 1]) == side).all()


def _fields(form: object) -> dict[str, object]:
    return {name: getattr(form, name) for name in form.__slots__}  # type: ignore[attr-defined]


def test_atlas_paints_in_metres_on_the_side_that_faces() -> None:
    atlas = Atlas(4.0, 2.0, 1.5)
    red, blue = Finish((200, 0, 0)), Finish((0, 0, 200))
    atlas.cover(atlas.left, red)
    atlas.cover(atlas.right, red)
    atlas.rectangle(atlas.left, (1.0, 1.4), (0.5, 0.9), blue)
    block = atlas.project(box([0, 0, 0.7], [4, 2, 1.4]))
    patch = Surface(
        np.array([[1.2, 1.0, 0.7], [1.2, -1.0, 0.7]]), np.zeros((2, 3)), np.zeros((2, 2)), np.zeros((0, 3), np.int64)
    )
    for point, colour in zip(patch.points, ((0, 0, 200), (200, 0, 0)), strict=True):
        panel = atlas.left if point[1] > 0 else atlas.right
        u, v = panel.uv(point[None])[0]
        assert atlas.colour.getpixel((int(u * 1024), int((1 - v) * 1280)))[:3] == colour
    assert block.uv.min() >= 0
    assert block.uv.max() <= 1


def test_joined_surfaces_keep_their_triangles() -> None:
    both = join([box([0, 0, 0], [1, 1, 1]), box([5, 0, 0], [2, 1, 1])])
    assert volume(both) == pytest.approx(3)
