"""Shared fixtures of the synthetic vehicles' tests."""

import ctypes.util
import dataclasses
import sys

import pytest
from support.requirements import skip_without

from model.synthetic import Camera, View
from model.synthetic.camera import FIRST_DAY


@pytest.fixture(scope="session")
def opengl() -> None:
    """Skips (fails in CI) where the machine has no OpenGL library at all; where one is installed, drawing must work."""
    if sys.platform == "linux" and not (ctypes.util.find_library("EGL") or ctypes.util.find_library("OSMesa")):
        skip_without("no OpenGL library on this machine (Debian and Ubuntu: apt install libegl1 libgl1-mesa-dri)")


@pytest.fixture
def camera() -> Camera:
    return Camera.sample(5, "rear")


@pytest.fixture
def noon() -> View:
    """A plain view: cloudy noon, nothing in front, nothing moving."""
    view = View.sample(3, captured_at=FIRST_DAY.replace(hour=12), weather="cloudy", along=0.0)
    return dataclasses.replace(view, occluder="none", speed_blur=0.0, braking=False, margin=(0.05, 0.05, 0.05, 0.05))
