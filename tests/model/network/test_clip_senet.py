"""The whole network: sizes, gradients, Eq. 5 worked by hand, options and refusals."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from model.errors import InputError
from model.network import Classifier, CLIPSENet
from model.presets import Preset, load_preset

MakePreset = Callable[..., Preset]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(preset: Preset) -> CLIPSENet:
    """The network without memory: for counting only."""
    with torch.device("meta"):
        return CLIPSENet(preset).eval()


def gmac(network: CLIPSENet) -> float:
    """Multiply-adds of one crop in units of 10^9.

    Gradients stay on: without them torch runs attention in one fused step that the counter does not know.
    """
    size = network.preset.image_size
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() / 2 / 1e9


class TestSizes:
    def test_paper_has_the_papers_parameters_and_operations(self) -> None:
        network = on_meta(load_preset("paper"))
        assert count(network) == pytest.approx(88.2e6, rel=0.01)
        assert gmac(network) == pytest.approx(20.4, rel=0.01)

    def test_paper_with_a_classifier_of_veri_776s_identities(self) -> None:
        assert count(on_meta(load_preset("paper"))) + count(Classifier(2048, 576)) == pytest.approx(89.4e6, rel=0.01)

    def test_starter_is_small_enough_for_two_cpu_cores(self) -> None:
        network = on_meta(load_preset("starter"))
        assert count(network) <= 25e6
        assert gmac(network) <= 6
        assert 256 <= network.preset.embedding_dim <= 512

    @pytest.mark.parametrize(
        ("kind", "parameters"),
        [
            ("resnet50_ibn_a", 23.5e6),
            ("resnet101_ibn_a", 42.5e6),
            ("se_resnet101_ibn_a", 47.25e6),
            ("resnext101_ibn_a", 42.1e6),
            ("efficientnet_lite0", 3.37e6),
        ],
    )
    def test_appearance_branches_have_their_published_sizes(
        self, make_preset: MakePreset, kind: str, parameters: float
    ) -> None:
        network = on_meta(make_preset(appearance={"kind": kind}))
        assert count(network.appearance) == pytest.approx(parameters, rel=0.01)

    @pytest.mark.parametrize(
        ("tower", "parameters"),
        [("ViT-8M/16", 8.28e6), ("ViT-39M/16", 38.6e6), ("ViT-40M/32", 39.7e6), ("ViT-61M/32", 61.4e6)],
    )
    def test_towers_have_tinyclips_sizes(self, make_preset: MakePreset, tower: str, parameters: float) -> None:
        network = on_meta(make_preset(semantic={"tower": tower, "input_size": 224}))
        assert count(network.semantic) == pytest.approx(parameters, rel=0.002)


class TestForward:
    @pytest.mark.parametrize(("base", "dimension"), [("starter", 512), ("paper", 2048)])
    def test_shapes_types_and_unit_length(self, make_preset: MakePreset, base: str, dimension: int) -> None:
        network = CLIPSENet(make_preset(base)).eval()
        images = torch.rand(2, 3, 64, 64)
        with torch.inference_mode():
            raw, neck, _ = network(images)
            embeddings = network.embed(images)
        assert raw.shape == neck.shape == embeddings.shape == (2, dimension)
        assert embeddings.dtype == torch.float32
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))

    @pytest.mark.parametrize("retrieval", ["neck", "raw"])
    def test_retrieval_reads_the_feature_that_the_preset_names(self, make_preset: MakePreset, retrieval: str) -> None:
        network = CLIPSENet(make_preset(retrieval=retrieval)).eval()
        nn.init.uniform_(network.neck.weight, 0.5, 1.5)
        images = torch.rand(2, 3, 64, 64)
        features = network(images)
        chosen = getattr(features, retrieval)
        other = features.raw if retrieval == "neck" else features.neck
        torch.testing.assert_close(network.embed(images), chosen / chosen.norm(dim=1, keepdim=True))
        assert not torch.allclose(network.embed(images), other / other.norm(dim=1, keepdim=True), atol=1e-3)

    def test_each_branch_sees_its_own_normalisation(self, make_preset: MakePreset) -> None:
        images = torch.rand(1, 3, 64, 64)
        published = {
            "resnet50_ibn_a": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            "efficientnet_lite0": ([127 / 255] * 3, [128 / 255] * 3),
        }
        for kind, (mean, std) in published.items():
            network = CLIPSENet(make_preset(appearance={"kind": kind})).eval()
            appearance, semantic = self._inputs_of_branches(network, images)
            torch.testing.assert_close(appearance, self._normalized(images, mean, std))
            clip = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
            torch.testing.assert_close(semantic, self._normalized(images, *clip))

    def test_the_semantic_branch_may_see_another_size(self, make_preset: MakePreset) -> None:
        network = CLIPSENet(make_preset(semantic={"tower": "ViT-8M/16", "input_size": 32})).eval()
        images = torch.rand(1, 3, 64, 64)
        appearance, semantic = self._inputs_of_branches(network, images)
        assert appearance.shape == (1, 3, 64, 64)
        small = F.interpolate(images, (32, 32), mode="bicubic", antialias=True)
        torch.testing.assert_close(semantic, network.normalize_semantic(small))

    @pytest.mark.parametrize("shape", [(2, 3, 32, 64), (2, 1, 64, 64), (3, 64, 64), (2, 64, 64, 3)])
    def test_images_of_another_shape_are_refused(self, make_preset: MakePreset, shape: tuple[int, ...]) -> None:
        with pytest.raises(InputError, match=r"takes images of shape \(N, 3, 64, 64\)"):
            on_meta(make_preset())(torch.empty(shape, device="meta"))

    def test_the_state_dict_holds_what_is_learned_only(self, make_preset: MakePreset) -> None:
        parts = {name.split(".")[0] for name in CLIPSENet(make_preset()).state_dict()}
        assert parts == {"appearance", "semantic", "afem", "fusion", "neck"}

    @staticmethod
    def _inputs_of_branches(network: CLIPSENet, images: Tensor) -> list[Tensor]:
        seen: list[Tensor] = []
        for branch in (network.appearance, network.semantic):
            branch.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0].clone()))
        with torch.inference_mode():
            network(images)
        return seen

    @staticmethod
    def _normalized(images: Tensor, mean: list[float], std: list[float]) -> Tensor:
        channels = [(images[:, i] - mean[i]) / std[i] for i in range(3)]
        return torch.stack(channels, dim=1)


class Constant(nn.Module):
    """A branch that says the same of every crop."""

    def __init__(self, values: list[float], length: int) -> None:
        super().__init__()
        self.features = F.pad(torch.tensor(values), (0, length - len(values)))

    def forward(self, images: Tensor) -> Tensor:
        return self.features.expand(len(images), -1)


def test_equation_5_worked_by_hand(make_preset: MakePreset) -> None:
    """T = FC([T_s ; T_a]) + T_s', then BNNeck, with D = 4, T_s = (1, -2, 0, ...), T_a = (3, 0, ...)."""
    network = CLIPSENet(make_preset(embedding_dim=4, afem={"variant": "A", "groups": 2})).eval()
    network.semantic = Constant([1.0, -2.0], 512)  # type: ignore[assignment]
    network.appearance = Constant([3.0], 1280)
    # h = ReLU(W T_s) = (1, 2, 0, 4), the BatchNorm changing nothing; T_s' = ((1 + 0.5)(1, 2), (1 - 2)(0, 4)).
    linear, norm = network.afem.transform[0], network.afem.transform[1]
    nn.init.zeros_(linear.get_parameter("weight"))
    linear.get_parameter("weight").data[:, :2] = torch.tensor([[1.0, 0], [0, -1], [1, 1], [2, -1]])
    norm.get_buffer("running_var").fill_(1 - 1e-5)
    network.afem.weight.data = torch.tensor([[0.5], [-2.0]])
    # T_u = (T_s[0], T_a[0], 0, 1) = (1, 3, 0, 1).
    nn.init.zeros_(network.fusion.weight)
    network.fusion.weight.data[0, 0] = network.fusion.weight.data[1, 512] = 1
    network.fusion.bias.data = torch.tensor([0.0, 0, 0, 1])
    # BNNeck: (T - 1) / sqrt(4) * 3, its bias stays zero.
    network.neck.get_buffer("running_mean").fill_(1)
    network.neck.get_buffer("running_var").fill_(4 - 1e-5)
    nn.init.constant_(network.neck.weight, 3)
    with torch.inference_mode():
        raw, neck, _ = network(torch.rand(1, 3, 64, 64))
    torch.testing.assert_close(raw, torch.tensor([[2.5, 6.0, 0.0, -3.0]]))
    torch.testing.assert_close(neck, torch.tensor([[2.25, 7.5, -1.5, -6.0]]))


class TestAblation:
    """The rows of the paper's ablation: baseline, +SEM, +AFEM."""

    def test_the_baseline_is_the_appearance_branch_and_fc(self, make_preset: MakePreset) -> None:
        network = CLIPSENet(make_preset(semantic=None, afem=None)).eval()
        images = torch.rand(2, 3, 64, 64)
        appearance = network.appearance(network.normalize_appearance(images))
        torch.testing.assert_close(network(images).raw, appearance @ network.fusion.weight.T + network.fusion.bias)
        assert {name.split(".")[0] for name in network.state_dict()} == {"appearance", "fusion", "neck"}

    def test_without_afem_t_is_t_u(self, make_preset: MakePreset) -> None:
        network = CLIPSENet(make_preset(afem=None)).eval()
        images = torch.rand(2, 3, 64, 64)
        appearance = network.appearance(network.normalize_appearance(images))
        semantic = network.semantic(network.normalize_semantic(images))
        fused = torch.cat((semantic, appearance), dim=1) @ network.fusion.weight.T + network.fusion.bias
        torch.testing.assert_close(network(images).raw, fused)
        assert "afem" not in {name.split(".")[0] for name in network.state_dict()}


@pytest.mark.parametrize(("base", "variant"), [("starter", "A"), ("starter", "A'"), ("starter", "C"), ("paper", "A")])
def test_gradients_reach_every_part(make_preset: MakePreset, base: str, variant: str) -> None:
    network = CLIPSENet(make_preset(base, afem={"variant": variant, "groups": 4})).train()
    classifier = Classifier(network.preset.embedding_dim, 3)
    raw, neck, _ = network(torch.rand(4, 3, 64, 64))
    similarities = F.normalize(raw) @ F.normalize(raw).T
    (F.cross_entropy(classifier(neck), torch.tensor([0, 1, 2, 0])) + similarities.square().sum()).backward()
    learned = {name: p for name, p in network.named_parameters() if name != "neck.bias"}
    without = [name for name, p in learned.items() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert without == []
    assert classifier.weight.grad is not None
    assert network.neck.bias.grad is None


def test_the_necks_bias_is_frozen_at_zero_and_new_layers_start_as_kaiming_says(make_preset: MakePreset) -> None:
    network = CLIPSENet(make_preset())
    assert not network.neck.bias.requires_grad
    assert not network.neck.bias.any()
    assert float(network.fusion.weight.detach().std()) == pytest.approx((1 / (512 + 1280)) ** 0.5, rel=0.01)
    assert not network.fusion.bias.any()


def test_the_classifier_is_bias_free() -> None:
    classifier = Classifier(512, 576)
    assert classifier.bias is None
    assert classifier(torch.rand(2, 512)).shape == (2, 576)


class TestCameraTable:
    def test_it_starts_without_effect(self, make_preset: MakePreset) -> None:
        plain = CLIPSENet(make_preset()).eval()
        starred = CLIPSENet(make_preset(camera_table={"cameras": 3})).eval()
        starred.load_state_dict(plain.state_dict(), strict=False)
        images = torch.rand(2, 3, 64, 64)
        torch.testing.assert_close(starred(images, torch.tensor([0, 2])).raw, plain(images).raw)

    def test_the_row_of_camera_and_view_is_added_to_t(self, make_preset: MakePreset) -> None:
        network = CLIPSENet(make_preset(camera_table={"cameras": 3, "views": 2})).eval()
        table = network.camera_table
        assert table is not None
        assert table.shape == (6, 512)
        images = torch.rand(2, 3, 64, 64)
        labels = torch.tensor([1, 2]), torch.tensor([0, 1])
        before = network(images, *labels).raw
        # Row camera * views + view: 1 * 2 + 0 and 2 * 2 + 1.
        table.data[2], table.data[5] = 1.0, -2.0
        shift = torch.tensor([[1.0], [-2.0]]).expand(2, 512)
        torch.testing.assert_close(network(images, *labels).raw - before, shift, atol=1e-5, rtol=0)

    @pytest.mark.parametrize(
        ("table", "cameras", "views", "reason"),
        [
            (None, [0, 1], None, "no camera table"),
            (None, None, [0, 1], "no camera table"),
            ({"cameras": 3}, None, None, "with cameras of every crop"),
            ({"cameras": 3}, [0, 1], [0, 0], "with cameras of every crop"),
            ({"cameras": 3, "views": 2}, [0, 1], None, "with cameras and views of every crop"),
            ({"cameras": 3}, [0, 3], None, r"cameras must lie in 0\.\.2"),
            ({"cameras": 3}, [-1, 0], None, r"cameras must lie in 0\.\.2"),
            ({"cameras": 3, "views": 2}, [0, 1], [0, 2], r"views must lie in 0\.\.1"),
        ],
    )
    def test_labels_that_do_not_fit_the_table_are_refused(
        self,
        make_preset: MakePreset,
        table: dict[str, int] | None,
        cameras: list[int] | None,
        views: list[int] | None,
        reason: str,
    ) -> None:
        network = CLIPSENet(make_preset(camera_table=table)).eval()
        labels = [None if values is None else torch.tensor(values) for values in (cameras, views)]
        with pytest.raises(InputError, match=reason):
            network(torch.rand(2, 3, 64, 64), *labels)
