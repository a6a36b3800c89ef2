"""The embedder: from crops to embeddings under a model id."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from model import embedder as module
from model.embedder import Embedder
from model.errors import DeviceError, EmbeddingError, InputError, WeightsError
from model.network import CLIPSENet
from model.network.normalize import Normalize
from model.presets import Preset
from model.projection import Projection, ProjectionFit
from model.weights import load_checkpoint, save_checkpoint, shipped

MakePreset = Callable[..., Preset]


@pytest.fixture(scope="module")
def weights(make_preset: MakePreset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = CLIPSENet(make_preset())
    torch.nn.init.normal_(network.neck.weight, 1, 0.1)
    path = tmp_path_factory.mktemp("weights") / "starter.safetensors"
    save_checkpoint(path, network, network.preset)
    return path


@pytest.fixture(scope="module")
def embedder(weights: Path) -> Embedder:
    return Embedder.load(weights, "starter", "cpu")


@pytest.fixture(scope="module")
def projection_file(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    fit = ProjectionFit(embedder.model_id, embedder.dimension)
    fit.add(embedder.embed(crops(24)))
    path = tmp_path_factory.mktemp("projection") / "pca16.safetensors"
    fit.projection(16).save(path)
    return path


def crops(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, (count, 64, 64, 3), np.uint8)


class TestEmbed:
    def test_it_gives_unit_rows_of_the_networks_own_embedding(self, embedder: Embedder, weights: Path) -> None:
        batch = crops(3)
        embeddings = embedder.embed(batch)
        network, _ = load_checkpoint(weights)
        with torch.inference_mode():
            expected = network.embed(torch.from_numpy(batch.transpose(0, 3, 1, 2) / np.float32(255)))
        assert embeddings.dtype == np.float32
        assert embeddings.shape == (3, embedder.dimension)
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(embeddings, expected.numpy(), atol=1e-5)

    def test_a_crops_embedding_does_not_depend_on_its_batch(self, embedder: Embedder) -> None:
        batch = crops(9)
        together = embedder.embed(batch)
        alone = np.concatenate([embedder.embed(batch[i : i + 1]) for i in range(9)])
        among_black = embedder.embed(np.concatenate([batch[:1], np.zeros_like(batch[:4])]))[:1]
        np.testing.assert_allclose(together, alone, atol=2e-6)
        np.testing.assert_allclose(among_black, alone[:1], atol=2e-6)
        assert (together @ together.T)[~np.eye(9, dtype=bool)].max() < 0.99999

    def test_a_prepared_picture_can_be_embedded(self, embedder: Embedder) -> None:
        prepared = embedder.prepare(Image.new("RGB", (333, 222), (200, 10, 10)))
        assert prepared.shape == (embedder.image_size, embedder.image_size, 3)
        assert embedder.embed(prepared[None]).shape == (1, embedder.dimension)

    def test_an_empty_batch_gives_no_rows(self, embedder: Embedder) -> None:
        assert embedder.embed(crops(0)).shape == (0, embedder.dimension)

    @pytest.mark.parametrize(
        "batch",
        [np.zeros((64, 64, 3), np.uint8), np.zeros((1, 3, 64, 64), np.uint8), np.zeros((1, 64, 64, 3), np.float32)],
    )
    def test_what_prepare_did_not_make_is_refused(self, embedder: Embedder, batch: NDArray[np.uint8]) -> None:
        with pytest.raises(InputError, match=r"uint8 of shape \(N, 64, 64, 3\)"):
            embedder.embed(batch)

    @pytest.mark.parametrize("value", [torch.nan, torch.inf, 0.0])
    def test_rows_that_are_no_unit_vectors_are_an_error(self, make_preset: MakePreset, value: float) -> None:
        network = CLIPSENet(make_preset())
        broken = Embedder(network, "0" * 64, torch.device("cpu"))
        torch.nn.init.constant_(network.neck.weight, value)
        with pytest.raises(EmbeddingError, match=r"no unit vector for rows \[0, 1\]"):
            broken.embed(crops(2))

    @pytest.mark.gpu
    def test_the_gpu_agrees_with_the_cpu(self, embedder: Embedder, weights: Path) -> None:
        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA device")
        on_gpu = Embedder.load(weights, device="cuda")
        assert on_gpu.model_id == embedder.model_id
        cosine = (on_gpu.embed(crops(4)) * embedder.embed(crops(4))).sum(axis=1)
        assert cosine.min() > 0.9999


class TestModelId:
    def test_it_names_preset_weights_and_preprocessing(self, embedder: Embedder, weights: Path) -> None:
        assert re.fullmatch(r"starter-[0-9a-f]{12}-[0-9a-f]{8}", embedder.model_id)
        assert Embedder.load(weights).model_id == embedder.model_id

    def test_it_does_not_change_between_releases_without_a_reason(self, make_preset: MakePreset) -> None:
        """A change here orphans every stored vector: change it only where the vectors themselves change."""
        network = CLIPSENet(make_preset())
        assert Embedder(network, "0123456789abcdef", torch.device("cpu")).model_id == "starter-0123456789ab-4b149e9a"

    def test_other_weights_are_another_model(self, embedder: Embedder, make_preset: MakePreset, tmp_path: Path) -> None:
        network = CLIPSENet(make_preset())
        save_checkpoint(tmp_path / "other.safetensors", network, network.preset)
        other = Embedder.load(tmp_path / "other.safetensors")
        assert other.model_id.split("-")[1] != embedder.model_id.split("-")[1]
        assert other.model_id.split("-")[2] == embedder.model_id.split("-")[2]

    def test_other_preprocessing_is_another_model(
        self, make_preset: MakePreset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def model_id(network: CLIPSENet) -> str:
            return Embedder(network, "0" * 64, torch.device("cpu")).model_id

        network = CLIPSENet(make_preset())
        ids = {model_id(network), model_id(CLIPSENet(make_preset(image_size=96)))}
        network.normalize_appearance = Normalize(Normalize.Statistics((0, 0, 0), (1, 1, 1)))
        ids.add(model_id(network))
        monkeypatch.setattr(module, "RESIZE", "pillow-lanczos")
        ids.add(model_id(network))
        assert len(ids) == 4


class TestProjection:
    def test_embeddings_and_model_id_are_the_projected_ones(
        self, projection_file: Path, weights: Path, embedder: Embedder
    ) -> None:
        projected, projection = Embedder.load(weights, projection=projection_file), Projection.load(projection_file)
        assert projected.dimension == 16
        assert projected.model_id == projection.model_id
        assert re.fullmatch(re.escape(embedder.model_id) + r"-pca16-[0-9a-f]{8}", projected.model_id)
        np.testing.assert_allclose(projected.embed(crops(3)), projection.apply(embedder.embed(crops(3))), atol=1e-5)
        assert projected.embed(crops(0)).shape == (0, 16)

    def test_a_projection_of_other_weights_is_refused(
        self, projection_file: Path, make_preset: MakePreset, tmp_path: Path
    ) -> None:
        network = CLIPSENet(make_preset())
        save_checkpoint(tmp_path / "other.safetensors", network, network.preset)
        with pytest.raises(WeightsError, match=r"fitted on model starter-.*: take that model's weights"):
            Embedder.load(tmp_path / "other.safetensors", projection=projection_file)


class TestLoad:
    def test_weights_of_another_preset_than_asked_for_are_refused(self, weights: Path) -> None:
        with pytest.raises(WeightsError, match="holds weights of preset starter, not paper"):
            Embedder.load(weights, "paper")

    def test_weights_with_a_camera_table_are_refused(self, make_preset: MakePreset, tmp_path: Path) -> None:
        network = CLIPSENet(make_preset(camera_table={"cameras": 2}))
        save_checkpoint(tmp_path / "starred.safetensors", network, network.preset)
        with pytest.raises(WeightsError, match="have a camera table"):
            Embedder.load(tmp_path / "starred.safetensors")

    @pytest.mark.parametrize("device", ["tpu9", "cuda:99", "bogus"])
    def test_a_device_that_is_not_there_is_refused(self, weights: Path, device: str) -> None:
        with pytest.raises(DeviceError, match=f"'{device}' cannot be used .*take auto, cpu or cuda"):
            Embedder.load(weights, device=device)

    @pytest.mark.parametrize(("available", "expected"), [(True, "cuda"), (False, "cpu")])
    def test_auto_takes_cuda_where_there_is_one(
        self, monkeypatch: pytest.MonkeyPatch, *, available: bool, expected: str
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
        assert module._device("auto") == torch.device(expected)

    def test_threads_are_set_only_when_asked_for(self, weights: Path) -> None:
        before = torch.get_num_threads()
        try:
            Embedder.load(weights)
            assert torch.get_num_threads() == before
            Embedder.load(weights, threads=before + 1)
            assert torch.get_num_threads() == before + 1
        finally:
            torch.set_num_threads(before)

    def test_a_package_without_starter_weights_says_so(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(shipped, "files", lambda _package: tmp_path)
        with pytest.raises(WeightsError, match="holds no starter weights: give a weights file, or train them"):
            Embedder.load()

    def test_starter_weights_are_taken_where_none_are_given(
        self, monkeypatch: pytest.MonkeyPatch, weights: Path, embedder: Embedder
    ) -> None:
        monkeypatch.setattr(shipped, "files", lambda _package: weights.parent)
        assert Embedder.load(preset="starter").model_id == embedder.model_id
