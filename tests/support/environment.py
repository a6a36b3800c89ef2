"""The environment of the tests, without the settings of whoever runs them."""

import os
from collections.abc import Mapping

PREFIX = "CLIP_SENET_"
FAULTS = "CLIP_SENET_FAULT_"
"""How hard the fault tests try: meant for the tests, not for the service."""


def settings_in(environment: Mapping[str, str]) -> list[str]:
    """Names of the variables that a service would take for its settings; it reads them in any case."""
    return [name for name in environment if name.upper().startswith(PREFIX) and not name.startswith(FAULTS)]


def plain_environment() -> dict[str, str]:
    """The environment of this process without settings of the service: a database above all."""
    settings = set(settings_in(os.environ))
    return {name: value for name, value in os.environ.items() if name not in settings}
