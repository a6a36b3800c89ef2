"""Settings as they come from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings


def test_the_home_folder_is_meant_by_a_tilde_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLIP_SENET_DATA_DIR", "~/senet")
    monkeypatch.setenv("CLIP_SENET_WEIGHTS", "~/own.safetensors")
    settings = Settings()
    assert settings.crops_dir == tmp_path / "senet" / "crops"
    assert settings.database_dir == tmp_path / "senet" / "postgres"
    assert settings.weights == tmp_path / "own.safetensors"


def test_a_home_folder_of_nobody_is_refused() -> None:
    with pytest.raises(ValidationError, match="home folder"):
        Settings(data_dir=Path("~no-such-user/senet"))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("CLIP_SENET_DATABSE_URL", "was CLIP_SENET_DATABASE_URL meant?"),
        ("clip_senet_dataa_dir", "was CLIP_SENET_DATA_DIR meant?"),
        ("CLIP_SENET_XYZZY", "--help lists them"),
    ],
)
def test_a_variable_that_is_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, advice: str) -> None:
    monkeypatch.setenv(name, "anything")
    with pytest.raises(ValidationError) as refusal:
        Settings()
    message = str(refusal.value)
    assert f"{name.upper()} is no setting" in message
    assert advice in message


@pytest.mark.parametrize(
    "name",
    [
        "CLIP_SENET_URL",
        "CLIP_SENET_WEIGHTS_DIR",
        "CLIP_SENET_FAULT_ROUNDS",
        "CLIP_SENET_PORT",
        "clip_senet_port",
    ],
)
def test_other_variables_of_the_product_are_fine(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "8080")
    assert Settings().port == (8080 if name.upper().endswith("PORT") else 8000)


def test_hosts_have_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIP_SENET_ALLOWED_HOSTS", "Reid.example.org, vehicles.example.org,")
    assert Settings().allowed_hosts == {"reid.example.org", "vehicles.example.org"}


def test_the_device_of_the_index_is_the_one_of_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().index_options.device == "cpu"
    monkeypatch.setenv("CLIP_SENET_INDEX_DEVICE", "cuda:1")
    monkeypatch.setenv("CLIP_SENET_INDEX_DEVICE_GIB", "1.5")
    options = Settings().index_options
    assert (options.device, options.device_memory_bytes) == ("cuda:1", 1_610_612_736)


def test_a_device_that_no_index_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIP_SENET_INDEX_DEVICE", "gpu")
    with pytest.raises(ValidationError, match="There is no device 'gpu'; choose cpu, auto or cuda:N"):
        Settings()
