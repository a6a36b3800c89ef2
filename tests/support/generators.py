"""Other people's tools for OpenAPI, of pinned versions, each in an environment of its own: `make test` sets them up."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.requirements import skip_without

PYTHON_FOLDER = Path(sys.prefix) / "contract-python"
NODE_FOLDER = Path(sys.prefix) / "contract-node"


@dataclass(frozen=True, slots=True)
class Generators:
    """Runs the tools.

    Attributes:
        python: Environment with openapi-python-client, what its clients need, and Node.js.
        node: Folder with node_modules.
    """

    python: Path
    node: Path

    def lint(self, description: Path) -> str:
        """What Redocly says of a description in which it finds nothing, warnings included."""
        config = Path(__file__).parents[1] / "contract" / "generators" / "redocly.yaml"
        return self.run("redocly", "lint", "--config", config, "--format", "stylish", description)

    def run(self, program: str, *arguments: str | Path, folder: Path | None = None, **variables: str) -> str:
        """Output of a program of either environment.

        Raises:
            AssertionError: It failed; the message is what it said.
        """
        paths = [self.python / "bin", self.node / "node_modules" / ".bin", os.environ["PATH"]]
        environment = {**os.environ, **variables, "PATH": os.pathsep.join(map(str, paths)), "NO_COLOR": "1", "CI": "1"}
        environment |= {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def installed_generators() -> Generators:
    """The tools; the test is skipped, or in CI fails, where they are not installed."""
    generators = Generators(PYTHON_FOLDER, NODE_FOLDER)
    if not (generators.node / "node_modules" / ".bin" / "tsc").exists():
        skip_without("the generators of clients are not installed: make generators")
    return generators
