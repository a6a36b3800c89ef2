"""`clip-senet demo`: the whole service at work on the sample vehicles."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from service.cli.terminal import enrolment_progress, out, ranked_table, remarks, stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from model.synthetic.generation import Row
    from model.synthetic.sample import SampleCrop
    from service.cli.client import ServiceProblem

_HOST = "127.0.0.1"
_LONGEST_START_S = 300
_LONGEST_STOP_S = 40
_RESULTS = 10
_CANNOT_RUN = 2


def demo(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the service; where it is taken, a free one is.")
    ] = 8000,
    data_dir: Annotated[Path, typer.Option(help="Folder of the demo's own database and crops.")] = Path("data/demo"),
    once: Annotated[
        bool,
        typer.Option(
            "--once", envvar="DEMO_ONCE", help="Stop after the search; the exit status says whether it was right."
        ),
    ] = False,
) -> None:
    """Start the service, enroll the sample vehicles, search for one of them, and stay up for you to try the console.

    The sample is enrolled under fixed external ids: a second demo in the same
    folder finds it there. Settings in the environment are not used, so that it
    never goes to a database of yours.

    [bold]Examples[/bold]

    Try it, console included:
      clip-senet demo

    As a check of an installation:
      clip-senet demo --once && echo works

    [bold]Exit status[/bold] of --once: 0 the right vehicle came first, 1 another
    did, 2 the demo could not run.
    """
    from service.cli.client import ServiceProblem, connect

    # A plain kill and a closed terminal must stop the service as Ctrl-C does.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    chosen = _free_port(port)
    address = f"http://{_HOST}:{chosen}"
    try:
        with _service(chosen, data_dir) as service, connect(address) as client:
            _wait_until_ready(service, client, data_dir / "service.log")
            right = _show_search(client)
            if once:
                raise typer.Exit(0 if right else 1)
            out.print(f"\nOpen [bold]{address}/[/bold] to search by picture. Ctrl-C stops the demo.")
            service.wait()
            stop(f"The service ended by itself. Its log is {data_dir / 'service.log'}.", _CANNOT_RUN)
    except ServiceProblem as problem:
        stop(_advice(problem, data_dir), _CANNOT_RUN)
    except KeyboardInterrupt:
        out.print("\nStopped.")


def _free_port(wanted: int) -> int:
    try:
        return _try_port(wanted)
    except OSError:
        chosen = _try_port(0)
    remarks.print(f"Port {wanted} is taken, so the demo uses port {chosen}.")
    return chosen


def _try_port(wanted: int) -> int:
    with socket.create_server((_HOST, wanted)) as probe:
        chosen: int = probe.getsockname()[1]
    return chosen


@contextmanager
def _service(port: int, data_dir: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """The service as a child process, its output in a log file; stopped at the end."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        log = (data_dir / "service.log").open("ab")
    except OSError as error:
        stop(f"The folder {data_dir} cannot be written: {error.strerror}. Give another with --data-dir.", _CANNOT_RUN)
    command = [
        sys.executable,
        "-m",
        "service.cli",
        "serve",
        "--host",
        _HOST,
        "--port",
        str(port),
        "--data-dir",
        str(data_dir),
    ]
    with log:
        # In a session of its own Ctrl-C reaches it through us only, once, when we are ready for its end.
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env=_service_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_LONGEST_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _service_environment() -> dict[str, str]:
    """The environment without settings of the service: the user's own database is no place for rendered crops."""
    from service.settings import Settings

    prefix = Settings.model_config["env_prefix"].lower()  # the settings are read in any case
    return {name: value for name, value in os.environ.items() if not name.lower().startswith(prefix)}


def _wait_until_ready(service: "subprocess.Popen[bytes]", client: "httpx.Client", log: Path) -> None:
    from service.cli.client import ServiceProblem, send

    started = time.monotonic()
    with remarks.status("Starting the service: its database, the model, the index") as status:
        while True:
            try:
                send(client, "GET", "readyz")
                break
            except ServiceProblem as problem:
                if problem.status is not None:
                    status.update(f"Starting the service: {escape(problem.detail)}")
            if service.poll() is not None:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
                stop(f"The service did not start. The end of its log ({log}):\n{tail}", _CANNOT_RUN)
            if time.monotonic() - started > _LONGEST_START_S:
                stop(f"The service was not ready within {_LONGEST_START_S} s. Its log is {log}.", _CANNOT_RUN)
            time.sleep(0.2)
    remarks.print(f"[green]✓[/green] Service ready after {time.monotonic() - started:.0f} s")


def _show_search(client: "httpx.Client") -> bool:
    """Enroll the sample, search for its first query; whether the right vehicle came first."""
    from model.synthetic.sample import load_sample

    sample = load_sample()
    _enroll(client, [crop for crop in sample if crop.row.split == "gallery"])
    query = next(crop for crop in sample if crop.row.split == "query")
    answer = _search(client, query)
    vehicle = query.row.vehicle_id
    out.print(f"\nQuery: [bold]{escape(vehicle)}[/bold], {escape(query.row.description)}, not enrolled in this view")
    out.print(f"       camera {escape(query.row.camera_id)}, {escape(str(query.path))}")
    took_ms, candidates = answer["search"]["took_ms"]["total"], answer["search"]["candidates"]
    out.print(f"Most similar of {candidates} crops of the other cameras, found in {took_ms:.0f} ms:\n")
    hits = answer["hits"]
    out.print(ranked_table(hits, vehicle_id=vehicle))
    right = bool(hits) and hits[0]["crop"]["vehicle_id"] == vehicle
    out.print("\n[green]The right vehicle came first.[/green]" if right else "\n[red]Another vehicle came first.[/red]")
    return right


def _enroll(client: "httpx.Client", gallery: "Sequence[SampleCrop]") -> None:
    from service.cli.client import ServiceProblem
    from service.cli.enrolling import CropFile, Enroller, Tally

    files = [CropFile(crop.path, _fields(crop.row)) for crop in gallery]
    tally = Tally()
    with enrolment_progress(len(files)) as show:
        Enroller(client).enroll(files, tally, show)
    if tally.failure is not None:
        raise tally.failure
    if tally.rejected:
        first = tally.rejected[0]
        raise ServiceProblem(f"{first.file} was rejected", first.reason, code=first.code)
    before = f", {tally.duplicate} were there from before" if tally.duplicate else ""
    remarks.print(f"[green]✓[/green] {tally.enrolled} sample crops enrolled{before}")


def _search(client: "httpx.Client", query: "SampleCrop") -> dict[str, Any]:
    from service.cli.client import send

    image = (query.path.name, query.path.read_bytes())
    fields = {"camera_id": query.row.camera_id, "k": _RESULTS, "purpose": "demo"}
    answer: dict[str, Any] = send(
        client, "POST", "search", patience_s=30, data=fields, files=[("images", image)]
    ).json()
    return answer


def _fields(row: "Row") -> dict[str, Any]:
    return {
        "external_id": row.file,
        "camera_id": row.camera_id,
        "captured_at": row.captured_at,
        "session_id": row.session_id,
        "track_id": row.track_id,
        "vehicle_id": row.vehicle_id,
        "attributes": {"type": row.type, "colour": row.colour},
    }


def _advice(problem: "ServiceProblem", data_dir: Path) -> str:
    if problem.code in {"model_mismatch", "external_id_conflict"}:
        return f"{problem} The demo in {data_dir} is of another release: remove it with rm -r {data_dir} and run again."
    return f"{problem} The service's log is {data_dir / 'service.log'}."
