"""`clip-senet ingest`: enroll folders and files."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.markup import escape

from service.cli.manifests import manifest
from service.cli.service_options import ApiKey
from service.cli.sources import Named, NamePattern, SourceError, find, listed, refuse_repeated
from service.cli.terminal import enrolment_progress, out, remarks, stop

if TYPE_CHECKING:
    from service.cli.enrolling import CropFile, Rejection, Tally

_STOPPED = 130


def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Pictures, and folders searched for pictures with all below them.", metavar="PATH"),
    ],
    url: Annotated[
        str, typer.Option(envvar="CLIP_SENET_URL", help="Address of the service.")
    ] = "http://127.0.0.1:8000",
    api_key: ApiKey = None,
    camera_id: Annotated[
        str | None, typer.Option(help="Camera of every crop that the pattern or manifest gives none for.")
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Regular expression with the groups vehicle, camera, track, session, time; must match the whole file "
            "name, or the path below PATH where it contains a slash.",
            metavar="REGEX",
        ),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(help="How the group time is written, as in strptime: %Y%m%d_%H%M%S. RFC 3339 where absent."),
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of times that name none: UTC, Europe/Berlin.")] = None,
    list_file: Annotated[
        Path | None, typer.Option("--list", help="File with one name per line, below PATH: only these are enrolled.")
    ] = None,
    manifest_file: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            help="CSV or Parquet with the columns file (below PATH), camera_id, captured_at, session_id, track_id, "
            "vehicle_id, external_id, attributes (JSON), bbox (JSON); any but file may be absent.",
        ),
    ] = None,
    collection: Annotated[
        str | None, typer.Option(help="Collection to enroll in; the service's default where absent.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Put before each path to make its external id.")] = "",
    batch: Annotated[int, typer.Option(min=1, max=64, help="Crops per request.")] = 16,
    parallel: Annotated[int, typer.Option(min=1, max=32, help="Requests at a time.")] = 2,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to go on trying while the service is busy or away.")
    ] = 300.0,
    rejected: Annotated[
        Path | None, typer.Option(help="Write the rejected files and reasons to this CSV.", metavar="FILE")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent for the first files, and send nothing.")
    ] = False,
) -> None:
    r"""Enroll vehicle crops from files and folders.

    Each crop gets its path below PATH as external id. Therefore the same
    command run again takes up where it stopped: what is enrolled already is
    counted as duplicate and costs no second row.

    [bold]Examples[/bold]

    One camera per folder:
      clip-senet ingest crops/gate-north --camera-id gate-north

    Names like car_0139_cam2.jpg:
      clip-senet ingest crops --pattern '(?P<vehicle>.+)_cam(?P<camera>\d+)\.jpg'

    Folders by camera, times in the name (gate-north/17_20261104_090312.jpg):
      clip-senet ingest crops --pattern '(?P<camera>.+)/(?P<track>\d+)_(?P<time>.+)\.jpg'
      --time-format %Y%m%d_%H%M%S --timezone Europe/Berlin

    A table of what is known, and a list of what was refused:
      clip-senet ingest crops --manifest crops/manifest.csv --rejected refused.csv

    [bold]Exit status[/bold] 0 all enrolled or enrolled before, 1 some rejected,
    2 the service failed or the command is wrong, 130 interrupted.
    """
    try:
        reader = None if pattern is None else NamePattern.parse(pattern, time_format, _zone(timezone))
        named = _named(paths, list_file, manifest_file)
        files, unfit = _described(named, reader, camera_id, prefix)
        refuse_repeated(file.fields["external_id"] for file in files)
    except SourceError as error:
        stop(str(error), 2)
    if not named:
        stop("No picture was found there.", 2)
    if dry_run:
        _show_plan(files, unfit)
        return
    tally = _send(
        files,
        unfit,
        url=url,
        api_key=api_key,
        collection=collection,
        batch=batch,
        parallel=parallel,
        patience=patience,
    )
    _summarise(tally, len(named), rejected)


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SourceError(f"There is no time zone {name!r}; names are like UTC or Europe/Berlin.") from error


def _named(paths: Sequence[Path], list_file: Path | None, manifest_file: Path | None) -> list[Named]:
    if list_file is None and manifest_file is None:
        return list(find(paths))
    if list_file is not None and manifest_file is not None:
        raise SourceError("Give --list or --manifest, not both.")
    if len(paths) != 1 or not paths[0].is_dir():
        raise SourceError("With --list or --manifest, PATH is the one folder that the names are below.")
    return list(listed(paths[0], list_file) if list_file is not None else manifest(paths[0], manifest_file or Path()))


def _described(
    named: Sequence[Named], reader: NamePattern | None, camera_id: str | None, prefix: str
) -> "tuple[list[CropFile], list[Rejection]]":
    """Files with their fields, and those that cannot be sent. A manifest goes before the name, that before options."""
    from service.cli.enrolling import CropFile, Rejection

    files, unfit = [], []
    for one in named:
        external_id = prefix + one.name
        try:
            fields: dict[str, Any] = {} if reader is None else dict(reader.fields(one.name))
        except SourceError as error:
            unfit.append(Rejection(str(one.path), external_id, "name_does_not_fit", str(error)))
            continue
        fields = {"external_id": external_id} | fields | one.fields
        fields.setdefault("camera_id", camera_id)
        if fields["camera_id"] is None:
            raise SourceError(
                f"No camera is known for {one.name}: give --camera-id, or a --pattern or --manifest that tells it."
            )
        files.append(CropFile(one.path, fields))
    return files, unfit


def _show_plan(files: "Sequence[CropFile]", unfit: "Sequence[Rejection]") -> None:
    shown = 5
    for file in files[:shown]:
        out.print(escape(str(file.path)), style="bold")
        for name, value in file.fields.items():
            out.print(f"  {name}: {escape(str(value))}")
    out.print(f"{len(files)} to send, {len(unfit)} unfit. Nothing was sent.")
    for rejection in unfit[:shown]:
        out.print(f"  {escape(rejection.file)}: {escape(rejection.reason)}")


def _send(
    files: "Sequence[CropFile]",
    unfit: "list[Rejection]",
    *,
    url: str,
    api_key: str | None,
    collection: str | None,
    batch: int,
    parallel: int,
    patience: float,
) -> "Tally":
    from service.cli.client import ServiceProblem, connect, send
    from service.cli.enrolling import Enroller, Tally

    tally = Tally(rejected=unfit)
    try:
        client = connect(url, api_key)
    except ServiceProblem as problem:
        stop(str(problem), 2)
    with client:
        try:
            # A wrong address is told at once; only a service that was there is waited for.
            send(client, "GET", "healthz")
        except ServiceProblem as problem:
            stop(str(problem), 2)
        enroller = Enroller(client, collection, batch, parallel, patience)
        with enrolment_progress(len(files) + len(unfit)) as show:
            show(tally)
            try:
                enroller.enroll(files, tally, show)
            except KeyboardInterrupt:
                tally.failure = ServiceProblem("Interrupted")
    return tally


def _summarise(tally: "Tally", total: int, rejected: Path | None) -> None:
    out.print(f"{tally.enrolled} enrolled, {tally.duplicate} duplicate, {len(tally.rejected)} rejected, of {total}.")
    reasons = Counter((rejection.code, rejection.reason) for rejection in tally.rejected)
    example = {(rejection.code, rejection.reason): rejection.file for rejection in tally.rejected}
    for (code, reason), times in reasons.most_common(10):
        out.print(f"  {times} x {code}: {escape(reason)} [dim](such as {escape(example[code, reason])})[/dim]")
    if len(reasons) > 10:  # noqa: PLR2004 - the number printed above
        out.print(f"  and {len(reasons) - 10} other reasons; --rejected FILE lists all.")
    if rejected is not None:
        _write_rejected(rejected, tally.rejected)
    if tally.failure is not None:
        remarks.print(
            f"[red]{escape(str(tally.failure))}[/red] {total - tally.done} not sent. "
            "Run the same command again to go on."
        )
        raise typer.Exit(_STOPPED if tally.failure.title == "Interrupted" else 2)
    raise typer.Exit(1 if tally.rejected else 0)


def _write_rejected(file: Path, rejections: "Sequence[Rejection]") -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "external_id", "code", "reason"])
        writer.writerows([one.file, one.external_id, one.code, one.reason] for one in rejections)
