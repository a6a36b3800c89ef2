"""Surfaces that vehicles are put together from: lofts, solids of revolution, tubes and rounded boxes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Surface:
    """A triangle mesh with one normal and one texture coordinate per point.

    Attributes:
        points: Shape (N, 3), metres; x forward, y left, z up, ground at z = 0.
        normals: Shape (N, 3), unit length, outward.
        uv: Shape (N, 2), place in the paint atlas, 0..1, origin bottom left.
        triangles: Shape (M, 3), indices into points, counter-clockwise from outside.
    """

    points: Array
    normals: Array
    uv: Array
    triangles: NDArray[np.int64]

    def moved(self, by: ArrayLike) -> Surface:
        """The same surface shifted by a vector of shape (3,)."""
        return Surface(self.points + np.asarray(by, dtype=float), self.normals, self.uv, self.triangles)

    def coloured(self, uv: ArrayLike) -> Surface:
        """The same surface with one texture coordinate, shape (2,), everywhere: one plain material."""
        return Surface(
            self.points, self.normals, np.broadcast_to(np.asarray(uv, dtype=float), self.uv.shape), self.triangles
        )

    def turned(self, degrees: float, axis: int) -> Surface:
        """The same surface turned about a coordinate axis (0 = x, 1 = y, 2 = z) through the origin, right-handed."""
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn[first, first], turn[first, second] = cos, -sin
        turn[second, first], turn[second, second] = sin, cos
        return Surface(self.points @ turn.T, self.normals @ turn.T, self.uv, self.triangles)

    def mirrored(self) -> Surface:
        """The same surface seen in a mirror along y: the part of the other side."""
        flip = np.array([1.0, -1.0, 1.0])
        return Surface(self.points * flip, self.normals * flip, self.uv, self.triangles[:, ::-1])


def join(surfaces: list[Surface]) -> Surface:
    """One surface of many."""
    offsets = np.cumsum([0] + [len(surface.points) for surface in surfaces])
    return Surface(
        np.concatenate([surface.points for surface in surfaces]),
        np.concatenate([surface.normals for surface in surfaces]),
        np.concatenate([surface.uv for surface in surfaces]),
        np.concatenate([surface.triangles + offset for surface, offset in zip(surfaces, offsets, strict=False)]),
    )


def from_grid(grid: Array, *, closed: bool = False) -> Surface:
    """Smooth surface through a grid of points.

    Args:
        grid: Shape (rows, columns, 3). Along a row, then down a column turns counter-clockwise seen from outside.
        closed: Whether the last column meets the first; the normals are then smooth across that seam.
    """
    rows, columns = grid.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.concatenate([index, index[:, :1]], axis=1)
    corners = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    first, second, third, fourth = (corner.ravel() for corner in corners)
    triangles = np.concatenate([np.stack([first, second, third], 1), np.stack([first, third, fourth], 1)])
    points = grid.reshape(-1, 3)
    return Surface(points, vertex_normals(points, triangles), np.zeros((len(points), 2)), triangles)


def vertex_normals(points: Array, triangles: NDArray[np.int64]) -> Array:
    """Unit normals at the points, shape (N, 3): the area-weighted mean of the triangles around each."""
    faces = face_normals(points, triangles)
    normals = np.zeros_like(points)
    for corner in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(triangles[:, corner], weights=faces[:, axis], minlength=len(points))
    unit: Array = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return unit


def face_normals(points: Array, triangles: NDArray[np.int64]) -> Array:
    """Normals of the triangles, shape (M, 3), as long as twice their area."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def unshared(surface: Surface) -> Surface:
    """The same surface with three points of its own for each triangle, normals kept, so each can be textured alone."""
    flat = surface.triangles.ravel()
    return Surface(surface.points[flat], surface.normals[flat], surface.uv[flat], np.arange(len(flat)).reshape(-1, 3))


def rounded_box(centre: ArrayLike, size: ArrayLike, roundness: float = 0.25, steps: int = 12) -> Surface:
    """Box with rounded edges (a superellipsoid).

    Args:
        centre: Shape (3,), metres.
        size: Full extents, shape (3,), metres.
        roundness: Exponent: 0.1 nearly a box, 1 an ellipsoid.
        steps: Points from pole to pole; twice as many around.
    """
    # Denser near the edges, where a superellipsoid bends.
    up = np.linspace(-np.pi / 2, np.pi / 2, steps + 1)
    around = np.linspace(-np.pi, np.pi, 2 * steps, endpoint=False) + np.pi / (2 * steps)
    up_grid, around_grid = np.meshgrid(up, around, indexing="ij")

    def power(value: Array) -> Array:
        # At the poles the cosine is 1e-17, not 0, and a small exponent would make a visible hole of it.
        return np.where(np.abs(value) < 1e-9, 0.0, np.sign(value) * np.abs(value) ** roundness)

    unit = np.stack(
        [
            power(np.cos(up_grid)) * power(np.cos(around_grid)),
            power(np.cos(up_grid)) * power(np.sin(around_grid)),
            power(np.sin(up_grid)),
        ],
        axis=-1,
    )
    return from_grid(unit * np.asarray(size, dtype=float) / 2 + np.asarray(centre, dtype=float), closed=True)


def box(centre: ArrayLike, size: ArrayLike) -> Surface:
    """Box with sharp edges and flat faces."""
    corner = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float) / 2
    faces = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            square = np.full((4, 3), sign / 2)
            square[:, (axis + 1) % 3] = corner[:, 0] * sign
            square[:, (axis + 2) % 3] = corner[:, 1]
            normal = np.zeros((4, 3))
            normal[:, axis] = sign
            points = square * np.asarray(size, dtype=float) + np.asarray(centre, dtype=float)
            faces.append(Surface(points, normal, np.zeros((4, 2)), np.array([[0, 1, 2], [0, 2, 3]])))
    return join(faces)


def revolved(profile: ArrayLike, steps: int = 36) -> Surface:
    """Solid of revolution about the y axis.

    Args:
        profile: Shape (P, 2): (y, radius) from the smallest y to the largest.
        steps: Points around.
    """
    outline = np.asarray(profile, dtype=float)
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    grid = np.stack(
        [
            outline[:, 1:] * np.sin(angle),
            np.broadcast_to(outline[:, :1], (len(outline), steps)),
            outline[:, 1:] * np.cos(angle),
        ],
        axis=-1,
    )
    return from_grid(grid, closed=True)


def tube(path: ArrayLike, radius: ArrayLike, steps: int = 10) -> Surface:
    """Round tube along a path, closed at both ends.

    Args:
        path: Shape (P, 3), metres.
        radius: Metres, one for all or shape (P,).
        steps: Points around.
    """
    spine = np.asarray(path, dtype=float)
    radii = np.broadcast_to(np.asarray(radius, dtype=float), (len(spine),))
    along = np.gradient(spine, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    helper = np.array([0.0, 0.0, 1.0]) if abs(along[:, 2]).max() < 0.95 else np.array([0.31, 0.95, 0.05])
    across = np.cross(along, helper)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    upward = np.cross(along, across)
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    ring = np.cos(angle)[:, None] * across[:, None, :] + np.sin(angle)[:, None] * upward[:, None, :]
    grid = spine[:, None, :] + radii[:, None, None] * ring
    ends = np.repeat(spine[[0, -1]][:, None, :], steps, axis=1)
    return from_grid(np.concatenate([ends[:1], grid, ends[1:]]), closed=True)


def rounded_path(corners: ArrayLike, radii: ArrayLike, spacing: float) -> Array:
    """Polyline through corners, each rounded off by a parabola arc, resampled finely.

    Args:
        corners: Shape (P, 2), metres.
        radii: Shape (P,): how far from the corner the rounding starts, metres; at most 45 % of an edge.
        spacing: Largest distance between two points of the result, metres.

    Returns:
        Points of the path, shape (N, 2).
    """
    points = np.asarray(corners, dtype=float)
    pieces = [points[:1]]
    for index in range(1, len(points) - 1):
        before, here, after = points[index - 1], points[index], points[index + 1]
        gap_before, gap_after = np.linalg.norm(before - here), np.linalg.norm(after - here)
        reach = min(float(np.asarray(radii, dtype=float)[index]), 0.45 * gap_before, 0.45 * gap_after)
        start, end = here + (before - here) / gap_before * reach, here + (after - here) / gap_after * reach
        t = np.linspace(0, 1, 7)[:, None]
        pieces.append((1 - t) ** 2 * start + 2 * t * (1 - t) * here + t**2 * end)
    pieces.append(points[-1:])
    coarse = np.concatenate(pieces)
    fine = [coarse[:1]]
    for start, end in pairwise(coarse):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / spacing)))
        fine.append(start + (end - start) * (np.arange(1, count + 1)[:, None] / count))
    return np.concatenate(fine)
