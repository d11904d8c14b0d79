"""All records of an object, page by page."""

from collections.abc import Iterator, Sequence

from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.errors import Json, Unreachable


def all_records(portal: Portal, of: str, properties: Sequence[str]) -> Iterator[list[Json]]:
    """All records of an object, in pages of 100."""
    after: str | None = None
    seen: set[str] = set()
    while True:
        records, after = portal.page(of, properties, after)
        yield records
        if after is None:
            return
        marks = {f"after {after}", *(record["id"] for record in records[:1])}
        if marks & seen:
            raise Unreachable(f"The pages of the {of} go round in a circle; is it HubSpot's?")
        seen |= marks
