"""The project's own checkpoints: what goes in comes out, a file is whole or absent, and what is refused."""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file

from model.errors import WeightsError
from model.network import CLIPSENet
from model.presets import Preset
from model.weights import as_stored, load_checkpoint, read_metadata, save_checkpoint
from model.weights.seal import seal

MakePreset = Callable[..., Preset]


@pytest.fixture(scope="module")
def network() -> CLIPSENet:
    preset = Preset.model_validate(
        {
            "name": "small",
            "image_size": 32,
            "embedding_dim": 64,
            "appearance": {"kind": "efficientnet_lite0"},
            "semantic": {"tower": "ViT-8M/16"},
            "camera_table": {"cameras": 2},
        }
    )
    return CLIPSENet(preset).eval()


@pytest.fixture(scope="module")
def original(network: CLIPSENet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("original") / "small.safetensors"
    save_checkpoint(path, network, network.preset, {"recipe": "none", "val_r1": "0.5"})
    return path


@pytest.fixture
def saved(original: Path, tmp_path: Path) -> Path:
    """A copy of one checkpoint, to do harm to."""
    return Path(shutil.copy(original, tmp_path / "small.safetensors"))


def header_end(path: Path) -> int:
    with path.open("rb") as file:
        return 8 + int.from_bytes(file.read(8), "little")


def rewrite(path: Path, **header: str) -> None:
    """Change entries of a checkpoint's header."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    path.write_bytes(seal(save(load_file(path), metadata={**metadata, **header})))


class TestRoundTrip:
    def test_weights_preset_and_metadata_come_back(self, network: CLIPSENet, saved: Path) -> None:
        loaded, preset = load_checkpoint(saved)
        assert preset == loaded.preset == network.preset
        assert not loaded.training
        assert loaded.state_dict().keys() == network.state_dict().keys()
        assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in network.state_dict().items())
        metadata = read_metadata(saved)
        assert (metadata["recipe"], metadata["val_r1"], metadata["format_version"]) == ("none", "0.5", "2")
        assert json.loads(metadata["preset"])["name"] == "small"

    def test_half_stores_matrices_narrow_and_vectors_wide(self, network: CLIPSENet, tmp_path: Path) -> None:
        path = tmp_path / "half.safetensors"
        save_checkpoint(path, network, network.preset, half=True)
        for name, value in load_file(path).items():
            wide = torch.int64 if name.endswith("num_batches_tracked") else torch.float32
            assert value.dtype == (torch.float16 if value.ndim > 1 else wide), name
        loaded, _ = load_checkpoint(path)
        images, cameras = torch.rand(2, 3, 32, 32), torch.tensor([0, 1])
        with torch.inference_mode():
            ours, expected = loaded.embed(images, cameras), network.embed(images, cameras)
        assert ours.dtype == torch.float32
        assert float((ours * expected).sum(dim=1).min()) > 0.9999

    def test_the_same_network_gives_the_same_bytes(self, network: CLIPSENet, saved: Path, tmp_path: Path) -> None:
        again = tmp_path / "again.safetensors"
        save_checkpoint(again, network, network.preset, {"val_r1": "0.5", "recipe": "none"})
        assert again.read_bytes() == saved.read_bytes()


class TestWriting:
    def test_a_full_disk_leaves_the_old_file_and_nothing_else(self, saved: Path) -> None:
        before = saved.read_bytes()
        code = "import sys; from pathlib import Path; from model.weights import load_checkpoint, save_checkpoint\n"
        code += "network, preset = load_checkpoint(Path(sys.argv[1]))\n"
        code += "save_checkpoint(Path(sys.argv[1]), network, preset, {'recipe': 'another'})"
        done = subprocess.run(
            [sys.executable, "-c", code, str(saved)],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6)),
        )
        assert done.returncode == 1
        said = done.stderr.strip().splitlines()[-1]
        assert f"WeightsError: {saved} cannot be written: File too large" in said
        assert "What was there before is untouched; free space or choose another folder." in said
        assert saved.read_bytes() == before
        assert list(saved.parent.iterdir()) == [saved]

    def test_a_missing_folder_is_named(self, network: CLIPSENet, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"absent/a\.safetensors cannot be written: No such file or directory"):
            save_checkpoint(tmp_path / "absent" / "a.safetensors", network, network.preset)

    def test_a_failed_write_leaves_the_old_file_and_nothing_else(
        self, network: CLIPSENet, saved: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = saved.read_bytes()

        def fail(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(
            WeightsError, match=r"small\.safetensors cannot be written: No space left on device .*untouched"
        ):
            save_checkpoint(saved, network, network.preset, {"recipe": "another"})
        assert saved.read_bytes() == before
        assert list(saved.parent.iterdir()) == [saved]

    def test_the_file_is_on_disk_before_it_has_its_name(
        self, network: CLIPSENet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps: list[str] = []
        target = tmp_path / "new.safetensors"
        real_fsync, real_replace = os.fsync, Path.replace

        def fsync(descriptor: int) -> None:
            steps.append(f"fsync {'after' if target.exists() else 'before'} naming")
            real_fsync(descriptor)

        def replace(self: Path, to: Path) -> Path:
            steps.append("name")
            return real_replace(self, to)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)
        save_checkpoint(target, network, network.preset)
        # The file's content, its name, then the folder that holds the name.
        assert steps == ["fsync before naming", "name", "fsync after naming"]

    def test_others_may_read_the_file_as_far_as_the_umask_allows(self, network: CLIPSENet, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            save_checkpoint(tmp_path / "a.safetensors", network, network.preset)
        finally:
            os.umask(before)
        assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640

    @pytest.mark.parametrize(
        ("value", "half", "kept"), [(torch.nan, False, ""), (1e6, True, r"float16"), (torch.inf, True, "")]
    )
    def test_values_that_are_not_finite_are_not_written(
        self, network: CLIPSENet, tmp_path: Path, *, value: float, half: bool, kept: str
    ) -> None:
        weight = network.fusion.weight.data
        old = float(weight[0, 0])
        weight[0, 0] = value
        try:
            with pytest.raises(WeightsError, match=rf"fusion\.weight has values that are not finite.*{kept}"):
                save_checkpoint(tmp_path / "a.safetensors", network, network.preset, half=half)
        finally:
            weight[0, 0] = old
        assert list(tmp_path.iterdir()) == []

    def test_another_preset_than_the_networks_is_refused(self, network: CLIPSENet, tmp_path: Path) -> None:
        other = network.preset.model_copy(update={"retrieval": "raw"})
        with pytest.raises(WeightsError, match=r"pass network\.preset"):
            save_checkpoint(tmp_path / "a.safetensors", network, other)

    def test_metadata_cannot_overwrite_the_checkpoints_own(self, network: CLIPSENet, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="preset"):
            save_checkpoint(tmp_path / "a.safetensors", network, network.preset, {"preset": "{}"})


@pytest.mark.parametrize("read", [load_checkpoint, read_metadata])
class TestRefusals:
    def test_a_missing_file(self, tmp_path: Path, read: Callable[[Path], object]) -> None:
        with pytest.raises(WeightsError, match=r"no weights file at .*absent"):
            read(tmp_path / "absent.safetensors")

    def test_a_file_truncated_anywhere(self, saved: Path, read: Callable[[Path], object]) -> None:
        size, start = saved.stat().st_size, header_end(saved)
        chance = random.Random(3)
        places = [*range(10), start - 1, start, start + 1, size - 1]
        places += [chance.randrange(start) for _ in range(20)] + [chance.randrange(size) for _ in range(20)]
        for place in sorted(places, reverse=True):
            os.truncate(saved, place)
            with pytest.raises(WeightsError, match="no readable safetensors file"):
                read(saved)

    def test_a_header_with_a_flipped_bit_anywhere(self, saved: Path, read: Callable[[Path], object]) -> None:
        content = bytearray(saved.read_bytes())
        chance = random.Random(4)
        start = header_end(saved)
        metadata = content.index(b'"__metadata__"')
        places = [*range(8), *range(metadata, metadata + 800, 3), *chance.sample(range(8, start), 100), start - 1]
        with saved.open("r+b", buffering=0) as file:
            for place in places:
                file.seek(place)
                file.write(bytes([content[place] ^ 1 << chance.randrange(8)]))
                with pytest.raises(WeightsError):
                    read(saved)
                file.seek(place)
                file.write(content[place : place + 1])
        read(saved)

    def test_metadata_that_was_rewritten_without_a_new_seal(self, saved: Path, read: Callable[[Path], object]) -> None:
        with safe_open(saved, framework="pt") as file:
            metadata = file.metadata()
        save_file(load_file(saved), saved, metadata={**metadata, "val_r1": "1.0"})
        with pytest.raises(WeightsError, match="is damaged: its header changed since it was written"):
            read(saved)

    @pytest.mark.parametrize("version", ["1", "2"])
    def test_a_seal_cannot_be_dropped(self, saved: Path, read: Callable[[Path], object], version: str) -> None:
        with safe_open(saved, framework="pt") as file:
            metadata = file.metadata()
        dropped = "data_sha256" if version == "1" else "header_sha256"
        kept = {name: value for name, value in metadata.items() if name != dropped}
        save_file(load_file(saved), saved, metadata={**kept, "format_version": version})
        with pytest.raises(WeightsError, match="is damaged: its header changed"):
            read(saved)

    def test_a_safetensors_file_of_another_make(self, tmp_path: Path, read: Callable[[Path], object]) -> None:
        save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
        with pytest.raises(WeightsError, match="no CLIP-SENet checkpoint"):
            read(tmp_path / "other.safetensors")

    def test_a_later_format(self, saved: Path, read: Callable[[Path], object]) -> None:
        rewrite(saved, format_version="3")
        with pytest.raises(WeightsError, match="format 3, this release reads up to 2: use a matching release"):
            read(saved)

    def test_a_broken_preset(self, saved: Path, read: Callable[[Path], object]) -> None:
        rewrite(saved, preset="{}")
        with pytest.raises(WeightsError, match=r"preset stored in .* makes no sense"):
            read(saved)


class TestContent:
    def test_a_weight_with_a_flipped_bit_is_not_loaded(self, saved: Path) -> None:
        content = bytearray(saved.read_bytes())
        chance = random.Random(5)
        start = header_end(saved)
        for place in (start, len(content) - 1, *(chance.randrange(start, len(content)) for _ in range(3))):
            with saved.open("r+b") as file:
                file.seek(place)
                file.write(bytes([content[place] ^ 1]))
            with pytest.raises(WeightsError, match="is damaged: its weights changed since it was written"):
                load_checkpoint(saved)
            saved.write_bytes(content)
        load_checkpoint(saved)

    def test_a_checkpoint_of_the_first_format_has_no_seal_and_is_read(self, network: CLIPSENet, tmp_path: Path) -> None:
        path = tmp_path / "old.safetensors"
        metadata = {"format": "clip-senet", "format_version": "1", "preset": network.preset.model_dump_json()}
        save_file(network.state_dict(), path, metadata=metadata)
        loaded, _ = load_checkpoint(path)
        assert torch.equal(loaded.fusion.weight, network.fusion.weight)
        assert read_metadata(path) == metadata

    def test_a_missing_tensor_is_named(self, saved: Path) -> None:
        self._without(saved, "neck.running_mean")
        with pytest.raises(WeightsError, match=r"neck\.running_mean missing, nothing unexpected"):
            load_checkpoint(saved)

    def test_the_camera_table_is_required_where_the_preset_has_one(self, saved: Path) -> None:
        self._without(saved, "camera_table")
        with pytest.raises(WeightsError, match="camera_table missing"):
            load_checkpoint(saved)

    def test_weights_of_another_preset_are_refused(self, network: CLIPSENet, saved: Path) -> None:
        rewrite(saved, preset=network.preset.model_copy(update={"embedding_dim": 128}).model_dump_json())
        with pytest.raises(WeightsError, match=r"shape .*64.*the preset needs .*128.*Choose the preset"):
            load_checkpoint(saved)

    @staticmethod
    def _without(path: Path, name: str) -> None:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        kept = {key: value for key, value in load_file(path).items() if key != name}
        path.write_bytes(seal(save(kept, metadata=metadata)))


def test_a_network_as_stored_is_what_its_file_gives(network: CLIPSENet, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "file.safetensors", network, network.preset, half=True)
    loaded, _ = load_checkpoint(tmp_path / "file.safetensors")
    stored = as_stored(network, half=True)
    assert not stored.training
    state, own = stored.state_dict(), network.state_dict()
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, state[name])
    assert any(not torch.equal(tensor, own[name]) for name, tensor in state.items()), "nothing was rounded"
