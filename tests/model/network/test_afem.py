"""AFEM against Eq. 4 worked by hand."""

import pytest
import torch
from torch import nn

from model.network import AFEM
from model.presets import Afem

T_S = torch.tensor([[1.0, -2.0]])


def set_transform(afem: AFEM, rows: list[list[float]]) -> None:
    """f(T_s) = ReLU(BN(W T_s)) with the given W and a BatchNorm that adds 2: 2 (x - 1) / sqrt(4) + 3."""
    linear, norm = afem.transform[0], afem.transform[1]
    assert isinstance(linear, nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d)
    linear.weight.data = torch.tensor(rows)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.fill_(1)
    norm.running_var.fill_(4 - norm.eps)
    nn.init.constant_(norm.weight, 2)
    nn.init.constant_(norm.bias, 3)
    afem.eval()


# W T_s = (-1, 0, -3, 2), plus 2 is (1, 2, -1, 4), after ReLU h = (1, 2, 0, 4).
FOUR_ROWS = [[1.0, 1.0], [2.0, 1.0], [1.0, 2.0], [0.0, -1.0]]


def test_variant_a_scales_each_group_of_channels_by_one_plus_its_weight() -> None:
    afem = AFEM(2, 4, Afem(variant="A", groups=2))
    set_transform(afem, FOUR_ROWS)
    afem.weight.data = torch.tensor([[0.5], [-2.0]])
    # Groups (1, 2) and (0, 4), times 1 + 0.5 and 1 - 2.
    torch.testing.assert_close(afem(T_S), torch.tensor([[1.5, 3.0, 0.0, -4.0]]))


def test_variant_a_prime_scales_each_channel_by_one_plus_its_weight() -> None:
    afem = AFEM(2, 4, Afem(variant="A'", groups=2))
    set_transform(afem, FOUR_ROWS)
    afem.weight.data = torch.tensor([[0.5, 1.0], [-2.0, 0.25]])
    # (1 * 1.5, 2 * 2, 0 * -1, 4 * 1.25).
    torch.testing.assert_close(afem(T_S), torch.tensor([[1.5, 4.0, 0.0, 5.0]]))


def test_variant_c_adds_weighted_transforms_to_an_unweighted_one() -> None:
    afem = AFEM(2, 2, Afem(variant="C", groups=2))
    # h_0 = (1, 2), h_1 = (0, 4), and W_2 T_s = (-1, 1), so h_2 = (1, 3).
    set_transform(afem, [*FOUR_ROWS, [1.0, 1.0], [3.0, 1.0]])
    afem.weight.data = torch.tensor([[0.5], [-2.0]])
    # h_0 + 0.5 h_1 - 2 h_2 = (1 + 0 - 2, 2 + 2 - 6).
    torch.testing.assert_close(afem(T_S), torch.tensor([[-1.0, -2.0]]))


def test_variant_c_is_separate_transforms_in_training_too() -> None:
    """Stacking f_0 ... f_G in one layer must not mix their batch statistics."""
    stacked = AFEM(5, 6, Afem(variant="C", groups=3))
    semantic = torch.randn(7, 5)
    weights = stacked.transform[0].get_parameter("weight").chunk(4)
    h = [torch.relu(nn.BatchNorm1d(6)(semantic @ weight.T)) for weight in weights]
    w = stacked.weight.flatten()
    torch.testing.assert_close(stacked(semantic), h[0] + w[0] * h[1] + w[1] * h[2] + w[2] * h[3])


@pytest.mark.parametrize(("variant", "shape"), [("A", (32, 1)), ("A'", (32, 2)), ("C", (32, 1))])
def test_group_weights_have_the_variants_shape_and_a_standard_normal_start(
    variant: str, shape: tuple[int, int]
) -> None:
    draws = [AFEM(8, 64, Afem(variant=variant, groups=32)).weight.detach() for _ in range(40)]  # type: ignore[arg-type]
    assert draws[0].shape == shape
    values = torch.stack(draws)
    assert abs(float(values.mean())) < 0.15
    assert abs(float(values.std()) - 1) < 0.1


def test_variant_c_has_the_papers_size() -> None:
    parameters = sum(p.numel() for p in AFEM(512, 2048, Afem(variant="C", groups=32)).parameters())
    assert parameters == pytest.approx(34.6e6, rel=0.01)


def test_the_linear_layer_starts_as_kaiming_says() -> None:
    weight = AFEM(512, 2048, Afem()).transform[0].get_parameter("weight")
    assert float(weight.detach().std()) == pytest.approx((2 / 512) ** 0.5, rel=0.01)
