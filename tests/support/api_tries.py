"""Schemathesis, in a process of its own, over openapi.json or a part of it, against a running service."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CONTRACT = Path(__file__).parents[1] / "contract"
LONGEST_LINE: Final = 4000
"""Requests are shown as commands, with all of their pictures."""


@dataclass(frozen=True, slots=True)
class Tries:
    """What came of them.

    Attributes:
        cases: How many requests were tried.
        dropped: How many findings the hooks knew to be none.
        findings: How many there are of each kind.
        never_accepted: Operations of which no request that follows the description was answered with a success.
        said: All that it said, shortened.
    """

    cases: int
    dropped: int
    findings: Mapping[str, int]
    never_accepted: tuple[str, ...]
    said: str


def tried(
    description: Path,
    address: str,
    key: tuple[str, str],
    folder: Path,
    *,
    phases: str,
    seed: int,
    seconds: int | None = None,
    examples: int | None = None,
) -> Tries:
    """Try all that a description tells of.

    Args:
        description: The OpenAPI file.
        address: Of the service.
        key: Id and text of the key to send.
        folder: For what it writes.
        phases: Of examples, coverage, fuzzing and stateful, with commas.
        seed: Chooses what is random.
        seconds: Fuzzing and stateful tries go on until that long after the start.
        examples: How many random requests are made for each operation at least; None as Schemathesis has it.

    Raises:
        AssertionError: It could not do its work.
    """
    report = folder / "report.json"
    options = ["--phases", phases, "--seed", str(seed), "--report-json-path", str(report)]
    options += ["--max-time", str(seconds)] if seconds else []
    options += ["--max-examples", str(examples)] if examples else []
    program = [Path(sys.executable).with_name("schemathesis"), "--config-file", CONTRACT / "schemathesis.toml", "run"]
    done = subprocess.run(
        [*program, description, "--url", address, "--header", f"X-API-Key: {key[1]}", "--no-color", *options],
        cwd=folder,
        env={**os.environ, "CONTRACT_KEY_ID": key[0], "SCHEMATHESIS_HOOKS": str(CONTRACT / "schemathesis_hooks.py")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    said = "\n".join(line[:LONGEST_LINE] for line in done.stdout.splitlines())
    assert report.exists(), said
    written = json.loads(report.read_text())
    assert written["complete"], said
    assert not written["errors"], said
    findings = {failure["title"]: failure["count"] for failure in written["failures"]}
    assert (done.returncode == 0) == (not findings), said
    return Tries(written["test_cases"]["generated"], written["filtered"], findings, _never_accepted(written), said)


def _never_accepted(report: Mapping[str, Any]) -> tuple[str, ...]:
    rates = report["valid_rates"].items()
    return tuple(operation for operation, phases in rates if not any(phase["accepted"] for phase in phases.values()))
