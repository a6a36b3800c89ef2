"""Synthetic vehicles: identities with paint, marks and damage, rendered as roadside cameras would see them.

Identities, cameras and plans need nothing but this package; drawing needs the extra `synthetic` (VTK), but no
screen and no GPU.
"""

from model.synthetic.camera import Camera, View
from model.synthetic.generation import Row, generate, plan
from model.synthetic.identity import Identity
from model.synthetic.rendering import render

__all__ = ["Camera", "Identity", "Row", "View", "generate", "plan", "render"]
