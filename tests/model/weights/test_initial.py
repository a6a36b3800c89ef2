"""Initial weights by name or by file: the right branch gets them, and the wrong one is refused in a sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model.errors import WeightsError
from model.network import CLIPSENet
from model.presets import Preset
from model.weights import WeightsStore, load_efficientnet_lite0, load_initial, save_checkpoint

MakePreset = Callable[..., Preset]
Publish = Callable[..., None]


@pytest.fixture
def store(tmp_path: Path) -> WeightsStore:
    return WeightsStore(tmp_path / "weights")


@pytest.fixture
def network(make_preset: MakePreset) -> CLIPSENet:
    """EfficientNet-Lite0 and ViT-8M/16 at 64 px."""
    return CLIPSENet(make_preset())


@pytest.fixture
def tinyclip(tmp_path: Path, tinyclip_file: bytes) -> Path:
    path = tmp_path / "tinyclip.pt"
    path.write_bytes(tinyclip_file)
    return path


@pytest.fixture
def resnet50(tmp_path: Path, resnet50_file: bytes) -> Path:
    path = tmp_path / "resnet50.pth"
    path.write_bytes(resnet50_file)
    return path


def values(network: CLIPSENet) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(before: dict[str, torch.Tensor], network: CLIPSENet) -> set[str]:
    """The parts of a network with a tensor that changed."""
    after = network.state_dict()
    return {name.partition(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}


class TestByName:
    def test_a_release_goes_from_the_store_into_its_branch_only(
        self, network: CLIPSENet, store: WeightsStore, tinyclip: Path
    ) -> None:
        kept = store.import_file("tinyclip-vit-8m-16", tinyclip)
        before = values(network)
        assert load_initial(network, "semantic", "tinyclip-vit-8m-16", store) == kept
        assert changed(before, network) == {"semantic"}
        released = torch.load(tinyclip, weights_only=True)["state_dict"]
        loaded = network.get_parameter("semantic.conv1.weight")
        assert torch.equal(loaded, released["_image_encoder.module.visual.conv1.weight"])

    def test_the_packaged_cnn_needs_no_store(self, network: CLIPSENet, store: WeightsStore) -> None:
        before = values(network)
        load_initial(network, "appearance", "efficientnet-lite0", store)
        assert changed(before, network) == {"appearance"}
        expected = CLIPSENet(network.preset)
        load_efficientnet_lite0(expected.appearance)  # type: ignore[arg-type]
        assert torch.equal(network.get_parameter("appearance.conv_stem.weight"), expected.appearance.conv_stem.weight)
        assert not store.folder.exists()

    def test_what_is_not_in_the_store_is_said_with_the_command(self, network: CLIPSENet, store: WeightsStore) -> None:
        with pytest.raises(WeightsError, match="run clip-senet weights fetch tinyclip-vit-8m-16, or"):
            load_initial(network, "semantic", "tinyclip-vit-8m-16", store)

    def test_a_release_of_another_tower_is_refused_before_it_is_looked_for(
        self, network: CLIPSENet, store: WeightsStore
    ) -> None:
        with pytest.raises(
            WeightsError, match=r"resnext101_ibn_a was made for .*branch of preset starter is efficientnet_lite0"
        ):
            load_initial(network, "appearance", "resnext101_ibn_a", store)
        with pytest.raises(
            WeightsError, match=r"-40m-32 was made for ViT-40M/32, but .* preset starter is ViT-8M/16: choose another"
        ):
            load_initial(network, "semantic", "tinyclip-vit-40m-32", store)

    def test_a_release_of_the_other_branch_is_refused(self, network: CLIPSENet, store: WeightsStore) -> None:
        with pytest.raises(WeightsError, match="for the semantic branch, not for the appearance branch"):
            load_initial(network, "appearance", "tinyclip-vit-8m-16", store)

    def test_a_misspelt_name_is_answered_with_the_names(self, network: CLIPSENet, store: WeightsStore) -> None:
        with pytest.raises(WeightsError, match="No published weights are called 'tinyclip'; there are tinyclip-vit-8m"):
            load_initial(network, "semantic", "tinyclip", store)

    def test_a_preset_without_the_branch_is_refused(self, make_preset: MakePreset, store: WeightsStore) -> None:
        network = CLIPSENet(make_preset(semantic=None, afem=None))
        with pytest.raises(WeightsError, match="Preset starter has no semantic branch"):
            load_initial(network, "semantic", "tinyclip-vit-8m-16", store)


class TestByFile:
    @pytest.mark.parametrize("kind", [str, Path])
    def test_a_file_goes_into_its_branch_only(
        self, network: CLIPSENet, store: WeightsStore, tinyclip: Path, kind: type
    ) -> None:
        before = values(network)
        assert load_initial(network, "semantic", kind(tinyclip), store) == tinyclip
        assert changed(before, network) == {"semantic"}

    def test_an_ibn_net_file(self, make_preset: MakePreset, store: WeightsStore, resnet50: Path) -> None:
        network = CLIPSENet(make_preset(appearance={"kind": "resnet50_ibn_a"}, semantic=None, afem=None))
        load_initial(network, "appearance", resnet50, store)
        assert torch.equal(
            network.get_parameter("appearance.conv1.weight"), torch.load(resnet50, weights_only=True)["conv1.weight"]
        )

    def test_a_file_of_another_tower_is_refused_with_both_named_and_changes_nothing(
        self, network: CLIPSENet, store: WeightsStore, resnet50: Path, tinyclip: Path
    ) -> None:
        before = values(network)
        with pytest.raises(
            WeightsError, match=r"holds weights of resnet50_ibn_a, but .* is efficientnet_lite0: choose"
        ):
            load_initial(network, "appearance", resnet50, store)
        with pytest.raises(WeightsError, match=r"holds weights of resnet50_ibn_a, but .* is ViT-8M/16: choose"):
            load_initial(network, "semantic", resnet50, store)
        with pytest.raises(WeightsError, match=r"holds weights of ViT-8M/16, but .* is efficientnet_lite0:"):
            load_initial(network, "appearance", tinyclip, store)
        assert changed(before, network) == set()

    def test_a_missing_file_is_named(self, network: CLIPSENet, store: WeightsStore) -> None:
        with pytest.raises(WeightsError, match=r"no weights file at absent\.pt"):
            load_initial(network, "semantic", "absent.pt", store)

    def test_a_file_of_no_known_tower_keeps_the_loaders_words(
        self, network: CLIPSENet, store: WeightsStore, tmp_path: Path
    ) -> None:
        torch.save({"a": torch.zeros(1)}, tmp_path / "a.pt")
        with pytest.raises(WeightsError, match="in no known layout of TinyCLIP"):
            load_initial(network, "semantic", tmp_path / "a.pt", store)


class TestByCheckpoint:
    """A checkpoint of this project gives its branch to another network: training goes on from training."""

    def test_a_branch_is_taken_from_a_checkpoint(self, network: CLIPSENet, store: WeightsStore, tmp_path: Path) -> None:
        earlier = CLIPSENet(network.preset)
        save_checkpoint(tmp_path / "earlier.safetensors", earlier, earlier.preset)
        for part in ("appearance", "semantic"):
            before, chance = values(network), torch.get_rng_state()
            load_initial(network, part, tmp_path / "earlier.safetensors", store)  # type: ignore[arg-type]
            assert torch.equal(torch.get_rng_state(), chance)  # a run's draws do not depend on where it started
            assert changed(before, network) == {part}
            assert all(
                torch.equal(value, network.state_dict()[name])
                for name, value in earlier.state_dict().items()
                if name.startswith(f"{part}.")
            )

    def test_position_embeddings_are_resized_to_the_networks_grid(
        self, network: CLIPSENet, make_preset: MakePreset, store: WeightsStore, tmp_path: Path
    ) -> None:
        larger = CLIPSENet(make_preset(image_size=96))
        save_checkpoint(tmp_path / "larger.safetensors", larger, larger.preset)
        load_initial(network, "semantic", tmp_path / "larger.safetensors", store)
        ours, theirs = (net.get_parameter("semantic.positional_embedding") for net in (network, larger))
        assert torch.equal(ours[0], theirs[0])
        assert ours.shape == (17, 256)

    def test_a_checkpoint_of_another_tower_is_refused_with_both_named(
        self, network: CLIPSENet, make_preset: MakePreset, store: WeightsStore, tmp_path: Path
    ) -> None:
        other = CLIPSENet(make_preset(appearance={"kind": "resnet50_ibn_a"}, semantic=None, afem=None))
        save_checkpoint(tmp_path / "other.safetensors", other, other.preset, half=True)
        with pytest.raises(WeightsError, match=r"holds weights of resnet50_ibn_a, but .* is efficientnet_lite0"):
            load_initial(network, "appearance", tmp_path / "other.safetensors", store)
        with pytest.raises(WeightsError, match="no semantic branch"):
            load_initial(network, "semantic", tmp_path / "other.safetensors", store)
