"""Released TinyCLIP files, made here from open_clip's own CLIP, in both layouts; and what is refused."""

import pickle
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.model import resize_pos_embed
from safetensors.torch import save_file
from torch import Tensor

from model.errors import WeightsError
from model.network import build_tower
from model.presets import Semantic
from model.weights import load_tinyclip

State = dict[str, Tensor]


def clip(image_size: int = 64, *, layers: int = 10, width: int = 256, patch: int = 16) -> open_clip.CLIP:
    """open_clip's CLIP with ViT-8M/16's geometry, a tiny text tower and no parameter left at its start."""
    vision = {"layers": layers, "width": width, "head_width": 64, "patch_size": patch, "image_size": image_size}
    text = {"context_length": 8, "vocab_size": 16, "width": 64, "heads": 1, "layers": 1}
    model = open_clip.CLIP(512, open_clip.CLIPVisionCfg(**vision), open_clip.CLIPTextCfg(**text))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model.eval()


def released(model: open_clip.CLIP) -> dict[str, State]:
    """The dict of a released .pt file."""
    state = {}
    for name, value in model.state_dict().items():
        tower = "image" if name.startswith("visual.") else "logit_scale" if name == "logit_scale" else "text"
        prefix = "_logit_scale" if tower == "logit_scale" else f"_{tower}_encoder"
        state[f"{prefix}.module.{name}"] = value
    return {"state_dict": state}


def hugging_face(model: open_clip.CLIP) -> State:
    """The same weights by CLIPModel's names."""
    visual = dict(model.visual.state_dict())
    state = {
        "logit_scale": model.logit_scale.detach(),
        "text_projection.weight": torch.zeros(512, 64),
        "text_model.embeddings.token_embedding.weight": torch.zeros(16, 64),
        "visual_projection.weight": visual["proj"].T.contiguous(),
        "vision_model.embeddings.class_embedding": visual["class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": visual["conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": visual["positional_embedding"],
        "vision_model.embeddings.position_ids": torch.arange(len(visual["positional_embedding"]))[None],
    }
    for kind in ("weight", "bias"):
        state[f"vision_model.pre_layrnorm.{kind}"] = visual[f"ln_pre.{kind}"]
        state[f"vision_model.post_layernorm.{kind}"] = visual[f"ln_post.{kind}"]
        for layer in range(len(model.visual.transformer.resblocks)):
            theirs, block = f"vision_model.encoder.layers.{layer}", f"transformer.resblocks.{layer}"
            q, k, v = visual[f"{block}.attn.in_proj_{kind}"].chunk(3)
            state[f"{theirs}.self_attn.q_proj.{kind}"] = q.clone()
            state[f"{theirs}.self_attn.k_proj.{kind}"] = k.clone()
            state[f"{theirs}.self_attn.v_proj.{kind}"] = v.clone()
            state[f"{theirs}.self_attn.out_proj.{kind}"] = visual[f"{block}.attn.out_proj.{kind}"]
            state[f"{theirs}.layer_norm1.{kind}"] = visual[f"{block}.ln_1.{kind}"]
            state[f"{theirs}.layer_norm2.{kind}"] = visual[f"{block}.ln_2.{kind}"]
            state[f"{theirs}.mlp.fc1.{kind}"] = visual[f"{block}.mlp.c_fc.{kind}"]
            state[f"{theirs}.mlp.fc2.{kind}"] = visual[f"{block}.mlp.c_proj.{kind}"]
    return state


def write(model: open_clip.CLIP, layout: str, folder: Path) -> Path:
    if layout == "safetensors":
        path = folder / "model.safetensors"
        save_file(hugging_face(model), path)
        return path
    path = folder / "model.pt"
    torch.save(released(model) if layout == "released" else hugging_face(model), path)
    return path


@pytest.fixture
def tower() -> open_clip.transformer.VisionTransformer:
    return build_tower(Semantic(tower="ViT-8M/16"), 64).eval()


@pytest.mark.parametrize("layout", ["released", "hugging_face", "safetensors"])
def test_either_layout_gives_open_clips_outputs_bit_for_bit(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path, layout: str
) -> None:
    model = clip()
    load_tinyclip(tower, write(model, layout, tmp_path))
    images = torch.randn(3, 3, 64, 64)
    with torch.inference_mode():
        ours, expected = tower(images), model.encode_image(images)
    assert ours.shape == (3, 512)
    assert torch.equal(ours, expected)
    assert float((ours[0] - ours[1]).abs().max()) > 0.01


def test_a_tower_loaded_at_another_size_has_open_clips_resized_positions(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path
) -> None:
    trained, smaller = clip(image_size=224), clip(image_size=64)
    load_tinyclip(tower, write(trained, "released", tmp_path))
    state = trained.state_dict()
    resize_pos_embed(state, smaller)
    smaller.load_state_dict(state)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(tower(images), smaller.encode_image(images))
    assert torch.equal(tower.positional_embedding[0], trained.visual.positional_embedding[0])


def test_the_auto_layout_is_refused_with_what_to_take_instead(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path
) -> None:
    torch.save({"state_dict": {"image_encoder_without_ddp.visual.conv1.weight": torch.zeros(1)}}, tmp_path / "auto.pt")
    with pytest.raises(WeightsError, match=r"'auto' checkpoints.*use a manual one \(ViT-8M/16"):
        load_tinyclip(tower, tmp_path / "auto.pt")


@pytest.mark.parametrize("layout", ["released", "hugging_face"])
@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ({"width": 128}, "has shape .* the preset needs"),
        ({"patch": 32}, r"conv1\.weight has shape \(256, 3, 32, 32\), the preset needs \(256, 3, 16, 16\)"),
        ({"layers": 9}, "missing"),
        ({"layers": 11}, "unexpected"),
    ],
)
def test_another_tower_is_refused_and_changes_nothing(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path, layout: str, geometry: dict[str, int], reason: str
) -> None:
    before = tower.class_embedding.detach().clone()
    with pytest.raises(WeightsError, match=f"{reason}.*Choose the preset that the file was made for"):
        load_tinyclip(tower, write(clip(**geometry), layout, tmp_path))
    assert torch.equal(tower.class_embedding, before)


def test_a_file_without_an_image_tower_is_refused(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path
) -> None:
    torch.save({"state_dict": {"_text_encoder.module.ln_final.weight": torch.zeros(4)}}, tmp_path / "text.pt")
    with pytest.raises(WeightsError, match=r"no known layout of TinyCLIP.*_image_encoder\.module\.visual"):
        load_tinyclip(tower, tmp_path / "text.pt")


def test_positions_that_are_no_square_grid_are_refused(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path
) -> None:
    content = released(clip())
    content["state_dict"]["_image_encoder.module.visual.positional_embedding"] = torch.zeros(12, 256)
    torch.save(content, tmp_path / "oblong.pt")
    with pytest.raises(WeightsError, match="no square grid after a CLS row"):
        load_tinyclip(tower, tmp_path / "oblong.pt")


def test_a_hugging_face_file_without_a_projection_is_refused(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path
) -> None:
    state = hugging_face(clip())
    del state["visual_projection.weight"]
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match=r"lacks 'visual_projection\.weight': fetch it again"):
        load_tinyclip(tower, tmp_path / "model.pt")


class Payload:
    """What a hostile pickle would do."""

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return open, ("pwned", "w")  # type: ignore[return-value]


@pytest.mark.parametrize("content", [b"", b"not weights", pickle.dumps(Payload(), protocol=2)])
def test_a_file_that_is_no_weights_is_refused_and_runs_no_code(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("bad.pt", "bad.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match="cannot be read as tensors only"):
            load_tinyclip(tower, tmp_path / name)
    assert not (tmp_path / "pwned").exists()


def test_a_hostile_object_inside_a_pytorch_file_is_refused(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": released(clip())["state_dict"], "epoch": Payload()}, tmp_path / "bad.pt")
    with pytest.raises(WeightsError, match="cannot be read as tensors only"):
        load_tinyclip(tower, tmp_path / "bad.pt")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("content", [{}, {"a": 1}, [1], {"state_dict": {"a": "b"}}])
def test_a_file_without_tensors_is_refused(
    tower: open_clip.transformer.VisionTransformer, tmp_path: Path, content: object
) -> None:
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match="holds no state dict"):
        load_tinyclip(tower, tmp_path / "odd.pt")


def test_a_missing_file_is_named(tower: open_clip.transformer.VisionTransformer, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights file at .*absent\.pt"):
        load_tinyclip(tower, tmp_path / "absent.pt")
