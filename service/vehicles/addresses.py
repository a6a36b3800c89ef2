"""How an address names a vehicle, whose id may be any name: one with slashes, or two dots, too."""

from service.problems import invalid_field

ELSEWHERE = "~"
"""Stands in an address in place of an id, and says that the query has it."""


def vehicle_named(in_path: str, in_query: str | None) -> str:
    """The id of the vehicle that an address is about.

    Args:
        in_path: What stands in the address, percent-encoding undone.
        in_query: The query's `id`; None where there is none.

    Raises:
        InvalidValueError: The id is in neither place or in both.
    """
    if in_path != ELSEWHERE:
        if in_query is not None:
            raise invalid_field("id", f"goes with {ELSEWHERE} in the address; this one names a vehicle itself")
        return in_path
    if in_query is None:
        raise invalid_field("id", f"is required where {ELSEWHERE} stands in place of the vehicle's id")
    return in_query


def require_own_segment(raw_path: bytes, name: str) -> None:
    """Refuse an address whose last part may belong to the vehicle's id.

    Servers undo percent-encoding before routes are told apart, so /vehicles/a%2Fsightings, which names the vehicle
    a/sightings, arrives as the sightings of a.

    Args:
        raw_path: The address as it was sent; empty where the server does not tell.
        name: The last part.

    Raises:
        InvalidValueError: The slash before it is encoded.
    """
    if raw_path.partition(b"?")[0].lower().endswith(f"%2f{name}".encode()):
        raise invalid_field("vehicle_id", f"ends in /{name}: put {ELSEWHERE} in its place and the id into the query")
