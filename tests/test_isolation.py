"""The tests and what they start keep away from the settings, and the database, of whoever runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import processes
from support.processes import ServiceProcess

from service.settings import Settings

ALIEN = {
    "CLIP_SENET_DATABASE_URL": "postgresql://somebody@elsewhere/real",
    "clip_senet_data_dir": "/somewhere/else",
    "CLIP_SENET_FAULT_ROUNDS": "1",
}
SHOW_SETTINGS = """
import os
from support.environment import settings_in
print({name: os.environ[name] for name in settings_in(os.environ)})
1 / 0
"""


def test_settings_are_the_defaults() -> None:
    assert Settings() == Settings.model_construct()


def test_settings_in_the_environment_do_not_reach_the_tests() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"{__file__}::test_settings_are_the_defaults",
    ]
    done = subprocess.run(command, env=os.environ | ALIEN, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nor_a_service_that_a_test_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ALIEN.items():
        monkeypatch.setenv(name, value)
    service = ServiceProcess(
        tmp_path, program=("-c", SHOW_SETTINGS), environment={"PYTHONPATH": str(Path(__file__).parent)}, preset="tiny"
    )
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        service.start()
    assert "{'CLIP_SENET_PRESET': 'tiny'}" in service.log


def test_a_service_that_does_not_stop_is_killed_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_TIMEOUT_S", 0.2)
    monkeypatch.setattr(ServiceProcess, "_ready", lambda self: "deaf" in self.log)
    deaf = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    service = ServiceProcess(tmp_path, program=("-c", deaf))
    service.start()
    with pytest.raises(AssertionError, match="did not stop"):
        service.stop()
    assert service._process is not None
    assert service._process.poll() is not None
