"""All records of an object, page by page: one after the other, and in a large portal several at once.

HubSpot gives records in the order of their ids, and its mark for the next page is the last id. Its documentation does not promise
that, so it is looked at on every page. Where the first pages are otherwise, all are read one after the other; where a later one
is, the run stops. A record that is missed all the same is not written to: it is looked up by its id, and waits for the next run.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import count, pairwise

from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.errors import Json, Unreachable

ONE_BY_ONE = 10  # pages
WORTH_DIVIDING = 4  # pages, about

Page = tuple[list[Json], str | None]


def all_records(portal: Portal, of: str, properties: Sequence[str]) -> Iterator[list[Json]]:
    """All records of an object, in pages of at most 100."""
    after: str | None = None
    seen: set[str] = set()
    begin, is_by_id = 0, portal.calls_at_once > 1
    for number in count(1):
        records, after = page = portal.page(of, properties, after)
        yield records
        if after is None:
            return
        marks = {f"after {after}", *(record["id"] for record in records[:1])}
        if marks & seen:
            raise Unreachable(f"The pages of the {of} go round in a circle; is it HubSpot's?")
        seen |= marks
        is_by_id = is_by_id and _is_by_id(page, begin)
        if is_by_id:
            begin = int(after)
            if number >= ONE_BY_ONE:
                yield from _several_at_once(portal, of, properties, Span(int(records[-1]["id"]), begin, None, _width(records)))
                return


@dataclass(eq=False)
class Span:
    """Records with ids above `floor`, up to `end`. The next page comes after `begin`; the last one had `width` ids."""

    floor: int
    begin: int
    end: int | None
    width: int | None = None

    def divided(self, newest: int) -> "Span | None":
        """Its second half, which it gives away; None where that is not worth a call, or before it is known to hold anything."""
        if self.width is None or self.room(newest) < WORTH_DIVIDING * self.width:
            return None
        middle = self.begin + (self.width + self.room(newest)) // 2
        half = Span(middle, middle, self.end)
        self.end = middle
        return half

    def room(self, newest: int) -> int:
        """How many ids it may still have."""
        return (newest if self.end is None else self.end) - self.begin


def _several_at_once(portal: Portal, of: str, properties: Sequence[str], rest: Span) -> Iterator[list[Json]]:
    """Who has nothing to read takes half of what is left of the longest span."""
    newest = portal.newest(of)
    waiting = [rest]
    under_way: dict[Future[Page], Span] = {}
    with ThreadPoolExecutor(portal.calls_at_once) as threads:
        while waiting or under_way:
            while len(waiting) + len(under_way) < portal.calls_at_once:
                spans = sorted([*waiting, *under_way.values()], key=lambda span: -span.room(newest))
                half = next(filter(None, (span.divided(newest) for span in spans)), None)
                if half is None:
                    break
                waiting.append(half)
            for span in waiting:
                under_way[threads.submit(portal.page, of, properties, str(span.begin))] = span
            waiting = []
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                span = under_way.pop(future)
                records, after = future.result()
                if not _is_by_id((records, after), span.begin):
                    raise Unreachable(
                        f"HubSpot does not give the {of} in the order of their ids. Set `calls_at_once: 1` in the settings, "
                        "so that they are read one page after the other."
                    )
                end = math.inf if span.end is None else span.end
                yield [record for record in records if span.floor < int(record["id"]) <= end]
                last = int(records[-1]["id"]) if records else span.begin
                if after is not None and last < end:
                    span.begin, span.width = int(after), _width(records)
                    waiting.append(span)


def _is_by_id(page: Page, begin: int) -> bool:
    records, after = page
    if not all(record["id"].isdigit() for record in records):
        return False
    ids = [begin - 1, *(int(record["id"]) for record in records)]
    is_rising = all(one < other for one, other in pairwise(ids))
    return is_rising and (after is None or (after.isdigit() and ids[-1] <= int(after) <= ids[-1] + 1))


def _width(records: list[Json]) -> int:
    return max(int(records[-1]["id"]) - int(records[0]["id"]), 1) if records else 1
