"""CLIP-SENet's network (arXiv 2502.16815): appearance branch, semantic branch, AFEM, fusion and BNNeck."""

from model.network.afem import AFEM
from model.network.appearance import build_appearance
from model.network.clip_senet import Classifier, CLIPSENet, Features
from model.network.semantic import build_tower

__all__ = ["AFEM", "CLIPSENet", "Classifier", "Features", "build_appearance", "build_tower"]
