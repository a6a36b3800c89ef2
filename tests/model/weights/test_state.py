"""Reading published files: whatever is wrong with one is a sentence, never another error."""

import io
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from model.errors import WeightsError
from model.weights.state import read_state

STATE = {"conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "bn1.bias": torch.ones(2)}


def written(layout: str) -> bytes:
    if layout == "safetensors":
        return bytes(save(STATE))
    buffer = io.BytesIO()
    torch.save({"state_dict": STATE}, buffer, _use_new_zipfile_serialization=layout == "zip")
    return buffer.getvalue()


@pytest.mark.parametrize("layout", ["zip", "legacy", "safetensors"])
class TestDamage:
    def test_whole_it_is_read(self, tmp_path: Path, layout: str) -> None:
        state = read_state(self._file(tmp_path, layout, written(layout)))
        assert all(torch.equal(state[name], value) for name, value in STATE.items())

    def test_cut_anywhere(self, tmp_path: Path, layout: str) -> None:
        content = written(layout)
        for place in range(0, len(content), max(1, len(content) // 60)):
            with pytest.raises(WeightsError, match="cannot be read as tensors only"):
                read_state(self._file(tmp_path, layout, content[:place]))

    def test_a_flipped_bit_is_an_error_or_another_value(self, tmp_path: Path, layout: str) -> None:
        """These files carry no checksum of their own: the store's record is what notices a changed value."""
        content = bytearray(written(layout))
        chance = random.Random(7)
        refused = 0
        for _ in range(300):
            place = chance.randrange(len(content))
            flipped = content[:]
            flipped[place] ^= 1 << chance.randrange(8)
            try:
                state = read_state(self._file(tmp_path, layout, bytes(flipped)))
            except WeightsError:
                refused += 1
            else:
                assert all(isinstance(value, Tensor) for value in state.values())
        assert refused > 20

    @staticmethod
    def _file(folder: Path, layout: str, content: bytes) -> Path:
        path = folder / ("file.safetensors" if layout == "safetensors" else "file.pt")
        path.write_bytes(content)
        return path


@pytest.mark.parametrize(
    ("content", "reason"),
    [({"a": io.StringIO}, r"it holds more than tensors: _io\.StringIO"), (b"no", "it is damaged or no weights file")],
)
def test_the_reason_is_said_without_advice_to_run_the_files_code(tmp_path: Path, content: object, reason: str) -> None:
    if isinstance(content, bytes):
        (tmp_path / "a.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=rf"tensors only \({reason}\): fetch it again, or save its state dict"):
        read_state(tmp_path / "a.pt")
