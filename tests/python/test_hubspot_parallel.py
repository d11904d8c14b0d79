"""Several calls at once: every record once, whatever the ids; no call too many; and no batch written twice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from hubspot_desk import Desk, contact
from hubspot_portal import TOKEN, Fault, HubSpotPortal, SimulatedClock
from icp_refinery.hubspot import pages
from icp_refinery.hubspot.apply import Outcome
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.errors import HubSpotError, Unreachable
from icp_refinery.hubspot.pace import CALM, TokenBucket, in_order
from icp_refinery.hubspot.pages import all_records
from icp_refinery.hubspot.revert import once_each

RANDOM = random.Random(7)
IDS = {
    "in a row": range(1, 3001),
    "far apart": [n * 1_000_003 for n in range(1, 1501)],
    "two clusters far apart": [*range(1, 1200), *range(10**12, 10**12 + 1200)],
    "anywhere": sorted(RANDOM.sample(range(1, 10**10), 1500)),
    "ever denser": sorted({10**10 - int(10**10 / n**2) for n in range(2, 1400)}),
}


@pytest.fixture
def hubspot(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubSpotPortal]:
    monkeypatch.setattr(pages, "ONE_BY_ONE", 3)
    with HubSpotPortal() as portal:
        yield portal


def portal_of(hubspot: HubSpotPortal, at_once: int = 8) -> Portal:
    clock = SimulatedClock()
    return Portal(hubspot.url, TOKEN, requests_per_10_seconds=190, calls_at_once=at_once, sleep=clock.sleep, clock=clock.now)


def read(hubspot: HubSpotPortal, at_once: int = 8) -> list[int]:
    with portal_of(hubspot, at_once) as portal:
        return sorted(int(record["id"]) for page in all_records(portal, "contacts", []) for record in page)


@pytest.mark.parametrize("mark_beyond", [0, 1])
@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_every_record_is_read_once(hubspot: HubSpotPortal, ids: list[int], mark_beyond: int) -> None:
    for number in ids:
        hubspot.add_record("contacts", str(number))
    hubspot.mark_beyond = mark_beyond
    assert read(hubspot) == sorted(ids)
    assert len(hubspot.calls) < len(ids) / 100 * 1.1 + 60


def test_a_page_that_ends_where_another_begins_loses_nothing(hubspot: HubSpotPortal) -> None:
    """Of 301 to 3002 the second half begins after 1701, at which the mark of a page of the first half points."""
    hubspot.mark_beyond = 1
    for number in range(1, 3003):
        hubspot.add_record("contacts", str(number))
    assert read(hubspot, at_once=2) == list(range(1, 3003))
    assert "1701" in {call.query.get("after") for call in hubspot.calls}


def test_pages_are_asked_for_at_once_in_a_large_portal_only(hubspot: HubSpotPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 4001):
        hubspot.add_record("contacts", str(number))
    hubspot.answer_seconds = 0.1
    began = time.monotonic()
    assert len(read(hubspot)) == 4000
    assert time.monotonic() - began < 0.7 * 40 * 0.1
    searched = [call for call in hubspot.calls if call.path.endswith("/search")]
    assert len(searched) == 1
    monkeypatch.setattr(pages, "ONE_BY_ONE", 40)
    hubspot.calls.clear()
    assert len(read(hubspot)) == 4000
    assert len(hubspot.calls) == 40


def test_ids_out_of_order_stop_the_run_or_are_read_one_by_one(hubspot: HubSpotPortal) -> None:
    for number in range(1, 2001):
        hubspot.add_record("contacts", str(number))
    body = {"results": [{"id": "3"}, {"id": "2"}], "paging": {"next": {"after": "2"}}}
    hubspot.faults = [Fault(status=200, body=body, call=7)]
    with pytest.raises(Unreachable, match=r"not give the contacts in the order of their ids\. Set `calls_at_once: 1`"):
        read(hubspot)
    # In the first pages already: then none are asked for at once.
    hubspot.calls.clear()
    records = [{"id": str(number)} for number in range(100, 0, -1)]
    hubspot.faults = [Fault(status=200, body={"results": records, "paging": {"next": {"after": "100"}}}, path="contacts$")]
    assert read(hubspot) == list(range(1, 2001))
    assert len(hubspot.calls) == 20


def test_the_limit_holds_for_several_threads() -> None:
    seconds, own, taken = 0.6, threading.local(), []

    def clock() -> float:
        own.time = time.monotonic()
        return own.time

    bucket = TokenBucket(10, seconds, clock)

    def take(number: int) -> None:
        bucket.take()
        taken.append(own.time)  # when it was let go, however late it says so

    list(in_order(take, range(45), 8))
    taken.sort()
    assert all(later - earlier >= seconds for earlier, later in zip(taken, taken[10:], strict=False))
    assert taken[-1] - taken[0] < 5 * seconds


def test_after_what_goes_wrong_nothing_further_is_begun() -> None:
    begun: list[int] = []

    def fail(number: int) -> int:
        begun.append(number)
        if number == CALM + 2:
            raise HubSpotError("no")
        time.sleep(0.01)
        return number

    with pytest.raises(HubSpotError):
        list(in_order(fail, range(1000), 4))
    assert len(begun) < CALM + 12
    begun.clear()
    with pytest.raises(HubSpotError):
        list(in_order(lambda number: fail(CALM + 2), range(1000), 4))
    assert len(begun) == 1


def fill(desk: Desk, records: range) -> None:
    desk.config = {"objects": ["contacts"]}
    for record in records:
        desk.hubspot.add_record("contacts", str(record), email=f"person.{record}@example.com")
    desk.publish({}, contacts={str(record): contact() for record in records})


def test_batches_at_once_write_each_record_once(desk: Desk) -> None:
    fill(desk, range(1, 1501))
    desk.diff()
    contacts = desk.hubspot.objects["contacts"]
    contacts.refused["777"] = "legal hold"
    contacts.locked.add("1234")
    desk.hubspot.faults = [Fault(status=429, path="batch/update", times=3), Fault(drop=True, after=True, path="batch/update")]
    outcome = desk.apply()
    assert (outcome.written, outcome.refused) == (1498, 2)
    assert max(Counter((c.company_id, c.property) for c in desk.hubspot.commits if c.call).values()) == 1
    contacts.refused.clear()
    contacts.locked.clear()
    assert desk.apply() == Outcome(written=2, already=1498)
    assert desk.revert().written == 1500
    assert set(desk.hubspot.everything()["contacts"]["5"]) == {"email"}


def test_a_record_is_put_back_by_one_call_at_a_time() -> None:
    lines = [{"records": dict.fromkeys(records)} for records in ("ab", "cd", "bx", "e", "x")]
    lines.append({"records": {"a": None}, "object": "contacts"})
    first_ones, further = once_each(lines)
    assert list(first_ones) == [lines[0], lines[1], lines[3], lines[5]]
    assert further == [lines[2], lines[4]]
