"""Routes of the audit log."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from service.access import Admin
from service.audit.export import csv_lines, ndjson_lines
from service.audit.schemas import AuditEntryView, AuditPage, AuditQuery, ExportQuery
from service.audit.service import exported_entries, page_of_entries
from service.errors import InvalidValueError, UnavailableError
from service.openapi import problems
from service.runtime import CurrentRuntime

router = APIRouter(prefix="/audit", tags=["audit"])

_FORMATS = {
    "ndjson": ("application/x-ndjson", ndjson_lines),
    "csv": ("text/csv; charset=utf-8; header=present", csv_lines),
}


@router.get(
    "",
    operation_id="list_audit",
    summary="Read the audit log",
    responses=problems(InvalidValueError, UnavailableError),
)
async def list_audit(runtime: CurrentRuntime, caller: Admin, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    """Who searched, looked at, changed and deleted what, when and why, newest first.

    A key that is bound to collections sees what was done in these.
    """
    found, cursor = await page_of_entries(runtime.database, caller, query)
    return AuditPage(items=[AuditEntryView.model_validate(entry) for entry in found], next_cursor=cursor)


@router.get(
    "/export",
    operation_id="export_audit",
    summary="Download the audit log",
    response_class=StreamingResponse,
    responses=problems(InvalidValueError, UnavailableError)
    | {
        200: {
            "description": "The entries, oldest first.",
            "content": {
                "application/x-ndjson": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
)
async def export_audit(
    runtime: CurrentRuntime, caller: Admin, query: Annotated[ExportQuery, Query()]
) -> StreamingResponse:
    """All entries that meet the conditions as one file, oldest first. The export is an entry of the log itself."""
    portions = await exported_entries(runtime.database, caller, query)
    media_type, lines = _FORMATS[query.format]
    headers = {"Content-Disposition": f'attachment; filename="audit.{query.format}"', "Cache-Control": "no-store"}
    return StreamingResponse(lines(portions), media_type=media_type, headers=headers)
