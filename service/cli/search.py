"""`clip-senet search`: find a vehicle by pictures of it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from service.cli.service_options import ApiKey
from service.cli.terminal import out, ranked_table, remarks, stop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NONE_FOUND = 1


def search(
    images: Annotated[list[Path], typer.Argument(help="One to 16 crops of ONE vehicle.", metavar="IMAGE")],
    url: Annotated[
        str, typer.Option(envvar="CLIP_SENET_URL", help="Address of the service.")
    ] = "http://127.0.0.1:8000",
    api_key: ApiKey = None,
    k: Annotated[int, typer.Option("-k", "--k", min=1, max=1000, help="Results at most.")] = 20,
    camera_id: Annotated[
        str | None, typer.Option(help="Camera that took the query; its own sightings are left out.")
    ] = None,
    exclude_same_camera: Annotated[
        bool | None,
        typer.Option(
            "--exclude-same-camera/--include-same-camera",
            help="Leave out or keep the query camera's sightings.",
            show_default=False,
        ),
    ] = None,
    only_camera: Annotated[list[str] | None, typer.Option(help="Look at this camera only; may be repeated.")] = None,
    exclude_camera: Annotated[list[str] | None, typer.Option(help="Leave this camera out; may be repeated.")] = None,
    time_from: Annotated[str | None, typer.Option("--from", help="Seen at or after: 2026-11-04T08:00:00Z.")] = None,
    time_to: Annotated[str | None, typer.Option("--to", help="Seen before.")] = None,
    vehicle_id: Annotated[list[str] | None, typer.Option(help="Among these vehicle ids only; may be repeated.")] = None,
    attributes: Annotated[
        str | None, typer.Option(help='Attributes that must be equal, as JSON: {"colour": "red"}.')
    ] = None,
    min_score: Annotated[float | None, typer.Option(min=-1, max=1, help="Lowest score to answer.")] = None,
    group_by: Annotated[str | None, typer.Option(help="One result per crop, track or vehicle.")] = None,
    rerank: Annotated[str | None, typer.Option(help="none, k_reciprocal or query_expansion.")] = None,
    camera_normalization: Annotated[
        bool | None,
        typer.Option(
            "--camera-normalization/--no-camera-normalization", help="Take out what a camera adds.", show_default=False
        ),
    ] = None,
    collection: Annotated[
        str | None, typer.Option(help="Collection to search; the service's default where absent.")
    ] = None,
    min_sequence: Annotated[int | None, typer.Option(min=0, help="Wait until the index has this change.")] = None,
    purpose: Annotated[str | None, typer.Option(help="Why you search; kept in the audit log.")] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to go on trying while the service is busy.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the service's answer as it is.")] = False,
) -> None:
    """Find where else a vehicle was seen, by one or more pictures of it.

    Prints a ranked table. The score is the likeness of pictures, from -1 to 1,
    not proof that it is the same vehicle.

    [bold]Examples[/bold]

    On other cameras than the one that took the picture:
      clip-senet search car.jpg --camera-id gate-north

    One morning, two cameras, five results:
      clip-senet search car.jpg -k 5 --only-camera 3 --only-camera 4
      --from 2026-11-04T06:00:00Z --to 2026-11-04T12:00:00Z

    For another program:
      clip-senet search front.jpg rear.jpg --json | jq '.hits[].crop.id'

    [bold]Exit status[/bold] 0 something was found, 1 nothing was, 2 the search
    failed.
    """
    fields = {
        "k": k,
        "camera_id": camera_id,
        "exclude_same_camera": exclude_same_camera,
        "camera_ids": only_camera,
        "exclude_camera_ids": exclude_camera,
        "from": time_from,
        "to": time_to,
        "vehicle_ids": vehicle_id,
        "attributes": attributes,
        "min_score": min_score,
        "group_by": group_by,
        "rerank": rerank,
        "camera_normalization": camera_normalization,
        "collection": collection,
        "min_sequence": min_sequence,
        "purpose": purpose,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    answer = _ask(url, api_key, images, given, patience)
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))  # noqa: T201 - for programs: no wrapping, no markup
    else:
        _show(answer)
    raise typer.Exit(0 if answer["hits"] else _NONE_FOUND)


def _ask(
    url: str, api_key: str | None, images: "Sequence[Path]", fields: "Mapping[str, Any]", patience_s: float
) -> dict[str, Any]:
    from service.cli.client import ServiceProblem, connect, send

    try:
        pictures = [("images", (image.name, image.read_bytes())) for image in images]
    except OSError as error:
        stop(f"{error.filename} cannot be read: {error.strerror}.", 2)
    try:
        with connect(url, api_key) as client:
            answer: dict[str, Any] = send(
                client, "POST", "search", patience_s=patience_s, data=fields, files=pictures
            ).json()
    except ServiceProblem as problem:
        stop(str(problem), 2)
    return answer


def _show(answer: dict[str, Any]) -> None:
    found, how = answer["hits"], answer["search"]
    if found:
        out.print(ranked_table(found, ids=True))
    elif how["candidates"]:
        out.print(f"No match: none of {how['candidates']} candidates reaches the lowest score.")
    else:
        out.print("No match: there is no candidate, the collection is empty or the filter leaves nothing of it.")
    remarks.print(
        f"{how['mode']} search of {how['candidates']} candidates in {how['took_ms']['total']:.0f} ms, "
        f"model {escape(answer['query']['model_id'])}",
        style="dim",
    )
