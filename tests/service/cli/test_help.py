import os
import subprocess
import sys
import time

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from service import __version__
from service.cli import app
from service.settings import Settings

COMMANDS = ["serve", "ingest", "search", "demo", "train", "evaluate", "reembed"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_option_and_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0
    context = typer.Context(get_command(app))
    for parameter in get_command(app).get_command(context, command).params:
        for name in [*parameter.opts, *parameter.secondary_opts] if parameter.param_type_name == "option" else []:
            assert name in result.output
        assert parameter.help, f"{parameter.name} says nothing"
    assert f"clip-senet {command}" in result.output.split("Examples")[1]


def test_help_of_serve_lists_every_setting() -> None:
    result = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"})
    for name in Settings.model_fields:
        assert f"CLIP_SENET_{name.upper()} " in result.output


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"clip-senet {__version__}\n"


def test_help_comes_at_once_because_nothing_heavy_is_imported() -> None:
    heavy = ["torch", "lightning_fabric", "faiss", "fastapi", "sqlalchemy", "httpx", "pydantic"]
    code = f"import sys, service.cli; print([name for name in {heavy} if name in sys.modules])"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"
    assert time.monotonic() - started < 10  # the limit is for a machine busy with other tests
