"""Every setting of the service in one object; each can be given in the environment as CLIP_SENET_<NAME>."""

import os
from datetime import timedelta
from difflib import get_close_matches
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from index.codecs import DEFAULT_CODEC, codec
from index.gpu.choice import CPU, device_number
from index.options import IndexOptions
from service.loopback import is_loopback

PREFIX = "CLIP_SENET_"
_OF_OTHER_COMMANDS = {"API_KEY", "URL", "WEIGHTS_DIR"}
_OF_FAULT_TESTS = "FAULT_"


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path} names a home folder that cannot be found") from error


def _split(names: Any) -> Any:  # noqa: ANN401 - whatever the environment or a caller gives
    return [name.strip().lower() for name in names.split(",") if name.strip()] if isinstance(names, str) else names


UserPath = Annotated[Path, AfterValidator(_expanded)]
"""A path in which a leading ~ is the user's home."""

HostNames = Annotated[frozenset[str], NoDecode, BeforeValidator(_split)]
"""Names of hosts, in the environment with commas between them."""


class Settings(BaseSettings):
    """Settings of one service process. Units are in the names or descriptions; sizes are bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port to listen on; 0 takes a free one.")
    data_dir: UserPath = Field(
        Path("data"), description="Folder of the embedded database, the stored crops and the index."
    )
    database_url: SecretStr | None = Field(None, description="PostgreSQL URL; the embedded database where absent.")
    auth: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether an API key is asked for; auto: unless host is loopback. off works on loopback only.",
    )
    allowed_hosts: HostNames = Field(
        frozenset(), description="Names under which a proxy offers the service, commas between; loopback always works."
    )

    preset: str = Field("starter", description="Name of the model preset.")
    weights: UserPath | None = Field(
        None, description="Weights file (safetensors); the shipped starter weights where absent."
    )
    projection: UserPath | None = Field(
        None, description="File of clip-senet projection fit, fitted on these weights; none where absent."
    )
    device: str = Field("auto", description="torch device: auto, cpu, cuda, cuda:1 ...")
    torch_threads: Annotated[int, Field(ge=0)] = Field(
        0, description="CPU threads of the model; 0 leaves torch's default."
    )
    batch_size: Annotated[int, Field(ge=1)] = Field(16, description="Crops embedded at once at most.")
    queue_crops: Annotated[int, Field(ge=1)] = Field(
        256, description="Crops waiting for the model before 429 is answered."
    )
    decode_workers: Annotated[int, Field(ge=1)] = Field(2, description="Processes that decode uploads.")
    decode_timeout_s: Annotated[float, Field(gt=0)] = Field(
        10.0, description="How long decoding one picture may take, in seconds; its process is ended then."
    )
    rendition_workers: Annotated[int, Field(ge=1)] = Field(1, description="Processes that render stored crops to show.")
    queue_renditions: Annotated[int, Field(ge=1)] = Field(
        256, description="Stored crops waiting to be shown before 429 is answered."
    )

    max_body_bytes: Annotated[int, Field(ge=1)] = Field(256 * 2**20, description="Largest request, in bytes.")
    max_json_bytes: Annotated[int, Field(ge=1)] = Field(
        4 * 2**20, description="Largest request without pictures, in bytes."
    )
    max_image_bytes: Annotated[int, Field(ge=1)] = Field(20 * 2**20, description="Largest picture file, in bytes.")
    max_image_pixels: Annotated[int, Field(ge=1)] = Field(50_000_000, description="Largest picture, in pixels.")
    min_image_side: Annotated[int, Field(ge=1)] = Field(
        8, description="Shortest side in pixels below which a crop shows nothing."
    )
    clock_skew_s: Annotated[float, Field(ge=0)] = Field(
        60.0, description="How far in the future captured_at may lie, in seconds."
    )

    follower_poll_s: Annotated[float, Field(gt=0)] = Field(
        0.5, description="Seconds between looks at the change log when nothing wakes it."
    )
    index_codec: str = Field(
        DEFAULT_CODEC, description="How vectors are kept where the collection does not say: fp32, fp16, sq8 or rabitq."
    )
    index_device: str = Field(
        CPU,
        description="What helps to search large segments: cpu for nothing, cuda:0, or auto for a GPU if there is one.",
    )
    index_device_gib: Annotated[float, Field(gt=0)] = Field(
        4.0, description="GiB of that device's memory that copies of segments may take."
    )
    index_segment_hours: Annotated[float, Field(gt=0)] = Field(
        24.0, description="Hours of capture time that one segment of the index covers."
    )
    index_purge_s: Annotated[float, Field(gt=0)] = Field(
        3600.0, description="How long what a changed crop was before may stay in the index's files, in seconds."
    )
    index_snapshot_s: Annotated[float, Field(gt=0)] = Field(
        300.0, description="Seconds between two snapshots of the index."
    )
    index_snapshot_changes: Annotated[int, Field(ge=1)] = Field(
        100_000, description="Changes after which the index makes a snapshot sooner."
    )
    index_reconcile_s: Annotated[float, Field(gt=0)] = Field(
        3600.0, description="Seconds between two comparisons of the index with the database."
    )
    change_log_days: Annotated[float, Field(gt=0)] = Field(
        7.0, description="Days that changes are kept; an index that was away for longer is built anew."
    )
    retention_check_s: Annotated[float, Field(gt=0)] = Field(
        300.0, description="Seconds between two looks for crops that are older than their collection keeps them."
    )
    min_sequence_wait_s: Annotated[float, Field(gt=0)] = Field(
        2.0, description="How long a search waits for min_sequence."
    )
    deletion_wait_s: Annotated[float, Field(ge=0)] = Field(
        5.0, description="How long a deletion waits for clean files before it is answered with a job, in seconds."
    )
    watch_poll_s: Annotated[float, Field(gt=0)] = Field(
        0.5, description="Seconds between two looks of the watches at the change log, and at webhooks that are due."
    )
    webhook_allowed: HostNames = Field(
        frozenset(),
        description="Hosts, addresses and networks (10.0.0.0/8) that webhooks may reach though they are not public, "
        "and by plain http; commas between.",
    )
    webhook_retry_s: Annotated[float, Field(gt=0, le=7200)] = Field(
        10.0, description="Seconds after which a webhook is tried again first; each later pause is twice as long."
    )
    webhook_timeout_s: Annotated[float, Field(gt=0, le=60)] = Field(
        10.0, description="How long one attempt at a webhook may take, in seconds."
    )
    rerank_candidates: Annotated[int, Field(ge=2, le=1000)] = Field(
        200, description="Top candidates that re-ranking looks at."
    )
    database_pool: Annotated[int, Field(ge=1)] = Field(5, description="Connections kept open to the database.")
    orphan_age_s: Annotated[float, Field(ge=0)] = Field(
        3600.0, description="Age in seconds at which a stored crop without a row is removed at start."
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_variables(cls, values: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        """A misspelt variable must not quietly leave its setting at the default."""
        known = [name.upper() for name in cls.model_fields]
        given = [name.upper().removeprefix(PREFIX) for name in os.environ if name.upper().startswith(PREFIX)]
        for name in given:
            if name not in known and name not in _OF_OTHER_COMMANDS and not name.startswith(_OF_FAULT_TESTS):
                nearest = get_close_matches(name, known, n=1)
                advice = f"was {PREFIX}{nearest[0]} meant?" if nearest else "clip-senet serve --help lists them all"
                raise ValueError(f"{PREFIX}{name} is no setting; {advice}")
        return values

    @field_validator("index_codec")
    @classmethod
    def _require_codec(cls, name: str) -> str:
        return codec(name).name

    @field_validator("webhook_allowed")
    @classmethod
    def _require_networks(cls, entries: frozenset[str]) -> frozenset[str]:
        for entry in entries:
            if "/" in entry:
                ip_network(entry)
        return entries

    @field_validator("index_device")
    @classmethod
    def _require_device(cls, name: str) -> str:
        device_number(name)
        return name

    @cached_property
    def asks_for_keys(self) -> bool:
        """Whether requests need an API key; beyond loopback always."""
        return self.auth == "on" or not is_loopback(self.host)

    @cached_property
    def index_dir(self) -> Path:
        """Folder of the index's segments and snapshots."""
        return self.data_dir / "index"

    @cached_property
    def index_options(self) -> IndexOptions:
        """How the index keeps crops."""
        return IndexOptions(
            codec=self.index_codec,
            span=timedelta(hours=self.index_segment_hours),
            purge_after=timedelta(seconds=self.index_purge_s),
            device=self.index_device,
            device_memory_bytes=int(self.index_device_gib * 2**30),
        )

    @cached_property
    def crops_dir(self) -> Path:
        """Folder of the stored crops."""
        return self.data_dir / "crops"

    @cached_property
    def database_dir(self) -> Path:
        """Folder of the embedded database."""
        return self.data_dir / "postgres"
