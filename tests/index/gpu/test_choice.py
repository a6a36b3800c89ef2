"""Which device is used, by name, on machines with and without one."""

import logging
from pathlib import Path

import pytest
from support.devices import CpuEngine, on_gpu

from index.gpu import choice
from index.gpu.choice import accelerator_for
from index.gpu.engine import devices
from index.options import IndexOptions
from index.segmented import SegmentedIndex

without_gpu = pytest.mark.skipif(devices() > 0, reason="is of machines on which FAISS finds no CUDA device")


@pytest.mark.parametrize("name", ["cpu", "auto"])
@without_gpu
def test_without_a_device_nothing_is_said_where_none_was_asked_for(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert accelerator_for(name, 2**30) is None
    assert not caplog.records


@without_gpu
def test_without_the_device_asked_for_a_warning_tells_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    assert accelerator_for("cuda:1", 2**30) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("The index was to search on cuda:1, but FAISS finds 0 CUDA devices")
    assert "Install the extra gpu" in record.getMessage()
    assert "CLIP_SENET_INDEX_DEVICE=cpu" in record.getMessage()


@without_gpu
def test_an_index_without_its_device_works_on_the_cpu(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = SegmentedIndex(8, tmp_path, IndexOptions(device="cuda:0"), background=False)
    try:
        assert index.stats().device is None
    finally:
        index.close()
    assert "the CPU searches alone" in caplog.text


@pytest.mark.parametrize(("name", "used"), [("auto", "cuda:0"), ("cuda:0", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_device_that_is_there_is_used(monkeypatch: pytest.MonkeyPatch, name: str, used: str) -> None:
    opened = []

    def engine(number: int) -> CpuEngine:
        opened.append(number)
        return CpuEngine()

    monkeypatch.setattr(choice, "devices", lambda: 2)
    monkeypatch.setattr(choice, "CudaEngine", engine)
    accelerator = accelerator_for(name, 2**30)
    assert accelerator is not None
    accelerator.close()
    assert accelerator.stats().name == used
    assert opened == [int(used[-1])]


@pytest.mark.parametrize("name", ["", "gpu", "cuda", "cuda:", "cuda:-1", "cuda:0x", "CPU"])
def test_another_name_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=f"There is no device '{name}'; choose cpu, auto or cuda:N"):
        IndexOptions(device=name)


@pytest.mark.parametrize("name", [pytest.param("auto", marks=on_gpu), pytest.param("cuda:0", marks=on_gpu)])
def test_a_real_device_opens(name: str, caplog: pytest.LogCaptureFixture) -> None:
    accelerator = accelerator_for(name, 2**30)
    assert accelerator is not None
    accelerator.close()
    assert accelerator.stats().problem is None
    assert not caplog.records
