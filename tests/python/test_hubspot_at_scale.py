"""What many companies cost: calls, the rate limit's time, and memory. `benchmarks/hubspot.py` does 100,000 in real time."""

import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

import hubspot_portal
from hubspot_portal import TOKEN, HubSpotPortal, SimulatedClock
from icp_refinery.hubspot import pages, plan
from icp_refinery.hubspot.apply import apply_plan
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.plan import write_plan

pytestmark = pytest.mark.usefixtures("own_locks")
MANIFEST = {"as_of": "2026-09-30", "published_at": "2026-10-01T00:00:00+00:00"}


@contextmanager
def marts_of(companies: int) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as marts:
        marts.execute("create schema marts")
        marts.execute("create table marts.icp_segments as select 'seg_a' as segment_id, 'Energy' as segment_name")
        marts.execute(
            """
            create table marts.sync_hubspot_companies as
            select
                cast(id as varchar) as hubspot_company_id,
                'A' || id as account_id,
                'Company ' || id as account_name,
                cast(null as varchar) as withheld_reason,
                'tier_1' as icp_tier,
                'seg_a' as icp_segment,
                cast(id % 100 as varchar) as icp_fit_score,
                'industry is Energy (+30); 200 or more employees (+10)' as icp_reasons,
                'nobody' as icp_disagreement
            from range(1, ? + 1) as record(id)
            """,
            [companies],
        )
        yield marts


def diff_and_apply(url: str, companies: int, folder: Path, clock: SimulatedClock) -> None:
    config = Config(max_changes=companies)
    # So few at once that what is under way does not hide what is kept.
    with marts_of(companies) as marts, Portal(url, TOKEN, calls_at_once=2, sleep=clock.sleep, clock=clock.now) as portal:
        summary = write_plan(portal, marts, MANIFEST, config, folder / "plan.jsonl")
        assert summary["changes"] == companies
        outcome, _ = apply_plan(portal, marts, MANIFEST, config, folder / "plan.jsonl")
        assert outcome.written == companies


def test_calls_are_one_for_a_hundred_companies_and_keep_the_limits_pace(tmp_path: Path) -> None:
    clock = SimulatedClock()
    with HubSpotPortal(requests_per_10_seconds=100, clock=clock.now) as hubspot:
        for record in range(1, 2051):
            hubspot.add_company(str(record))
        diff_and_apply(hubspot.url, 2050, tmp_path, clock)
    paths = Counter(call.path.removeprefix("/crm/objects/2026-09/") for call in hubspot.calls)
    assert (paths["companies/batch/read"], paths["companies/batch/update"]) == (21, 21)
    assert paths["companies"] <= 22  # each half of what is left ends with a page of its own
    assert len(hubspot.calls) <= 3 * 21 + 20
    assert {call.status for call in hubspot.calls} == {200, 201}
    assert clock.now() <= 1.1 * len(hubspot.calls) / 10


def test_memory_does_not_grow_with_the_companies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of the ids is all that may be kept of each; its values alone would be more than a thousand bytes."""
    peaks = {}
    # So that with few companies, too, several calls are under way.
    monkeypatch.setattr(plan, "PAGES_A_QUERY", 1)
    monkeypatch.setattr(pages, "ONE_BY_ONE", 1)
    for companies in (700, 700, 1900):  # the first run also loads what is used
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        command = [sys.executable, hubspot_portal.__file__, "--companies", str(companies)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hubspot:
            url = hubspot.stdout.readline().strip()
            tracemalloc.start()
            diff_and_apply(url, companies, folder, SimulatedClock())
            peaks[companies] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            hubspot.terminate()
    assert (peaks[1900] - peaks[700]) / 1200 < 500
