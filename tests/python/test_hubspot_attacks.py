"""What a hostile or broken HubSpot, a wrong portal and a foreign folder cannot do."""

import csv
import gzip
import json
import os
import socket
import stat
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from hubspot_desk import Desk, row
from hubspot_portal import TOKEN, Fault
from icp_refinery.cli import app
from icp_refinery.hubspot import client
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.errors import HubSpotError, PlanError, Refused, Unreachable, Unsure
from icp_refinery.hubspot.filters import filter_branch, meaning
from icp_refinery.hubspot.lists import apply_lists
from icp_refinery.hubspot.pages import all_records


def quick(url: str, **more: Any) -> Portal:
    return Portal(url, TOKEN, sleep=lambda seconds: None, **more)


# --- Which portal --------------------


def test_marts_of_another_company_clear_nothing(desk: Desk) -> None:
    records = [str(record) for record in range(1001, 1061)]
    for record in records:
        desk.hubspot.add_company(record)
    desk.publish({record: row() for record in records})
    desk.sync()
    before = desk.held()
    desk.publish({str(record): row() for record in range(5001, 5101)})
    assert "Of 100 company records in the marts, this portal has 0" in " ".join(desk.command("diff").output.split())
    for arguments in ([], ["--max-clears", "1000", "--max-changes", "1000"]):
        refused = desk.command("apply", "--apply", *arguments)
        assert refused.exit_code == 1
        assert "the marts are of another company" in " ".join(refused.output.split())
    # Ten of the records are there, ninety are not.
    desk.publish({record: row() for record in records[:10]} | {str(record): row() for record in range(5001, 5091)})
    with pytest.raises(PlanError, match="Of 100 company records in the marts, this portal has 10"):
        desk.sync()
    assert desk.held() == before


def test_no_more_companies_are_cleared_than_keep_a_value_in_the_portal(desk: Desk) -> None:
    records = [str(record) for record in range(1001, 1011)]
    for record in [*records, *(str(record) for record in range(2001, 2021))]:
        desk.hubspot.add_company(record)
    desk.publish({record: row() for record in records})
    desk.sync()
    # Twenty new companies would get values; of those that have any, four keep them and six lose them.
    desk.publish({record: row() for record in records[:4]} | {str(record): row() for record in range(2001, 2021)})
    with pytest.raises(PlanError, match=r"6 companies left the marts and would be cleared, more than keep a value \(4\)"):
        desk.sync()
    assert desk.sync(max_clears=6).written == 26


def test_a_token_of_another_portal_than_the_journals_is_refused_until_it_is_named(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    assert synced.sync().written == 3
    synced.hubspot.portal_id = 7
    synced.publish({record: row("tier_1", reasons="newer") for record in ("101", "102", "103")})
    with pytest.raises(PlanError, match="are of portal 4242, the token is of portal 7"):
        synced.sync()
    synced.config = {"portal_id": 7}
    assert synced.sync().written == 3


def test_only_one_run_writes_to_a_portal_whatever_its_folder(synced: Desk, tmp_path: Path) -> None:
    other = Desk(synced.hubspot, tmp_path / "other")
    for desk_ in (synced, other):
        desk_.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
        desk_.diff()
    refused: list[str] = []

    def run_another() -> None:
        with pytest.raises(PlanError, match="Another run is at work at portal 4242") as problem:
            other.apply()
        refused.append(str(problem.value))

    synced.hubspot.faults.append(Fault(hook=run_another, path="batch/update"))
    synced.hubspot.lock = nullcontext()
    assert synced.apply().written == 3
    assert len(refused) == 1
    assert other.apply().written == 0


def test_plans_lists_and_journals_are_readable_by_their_owner_only(synced: Desk) -> None:
    before = os.umask(0)
    try:
        synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
        synced.sync()
        with quick(synced.hubspot.url) as portal:
            entry = {"action": "create", "key": "k", "name": "A list", "filter_branch": filter_branch([])}
            apply_lists(portal, [entry], synced.folder / "runs" / "lists.jsonl")
    finally:
        os.umask(before)
    files = [*(synced.folder / "runs").iterdir(), *(synced.folder / "state" / "icp-refinery").iterdir()]
    assert {"plan.jsonl", "lists.jsonl", ".lock", "portal-4242.lock"} < {file.name for file in files}
    assert {file.name: oct(stat.S_IMODE(file.stat().st_mode)) for file in files if file.stat().st_mode & 0o077} == {}


# --- Where the token goes --------------------


def test_no_file_sends_the_token_elsewhere(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    (project / "activation").mkdir(parents=True)
    (project / "dbt_project.yml").touch()
    (project / "activation" / "hubspot.yml").write_text(f"base_url: {desk.hubspot.url}\n")
    (project / "below").mkdir()
    environment = {"HUBSPOT_TOKEN": TOKEN, "ICP_PUBLISHED": str(tmp_path / "published")}
    desk.publish({})
    desk.config = {"base_url": desk.hubspot.url}
    named = CliRunner().invoke(app, ["hubspot", "diff", "--config", str(desk.write_settings())], env=environment)
    assert "`base_url`: there is no such setting" in named.output
    monkeypatch.chdir(project)
    assert "`base_url`: there is no such setting" in CliRunner().invoke(app, ["hubspot", "diff"], env=environment).output
    # Settings of a folder above are not read at all: these would stop the command.
    monkeypatch.chdir(project / "below")
    shown = CliRunner().invoke(app, ["hubspot", "nurture"], env=environment)
    assert "base_url" not in shown.output
    assert desk.hubspot.calls == []


@pytest.mark.parametrize(
    "url", ["http://api.hubapi.com", "ftp://x", "nonsense", "https://me:x@api.hubapi.com", "https://a.b/?x=1"]
)
def test_an_address_that_is_none_is_a_sentence(desk: Desk, url: str) -> None:
    desk.publish({})
    arguments = ["hubspot", "diff", "--base-url", url, "--config", str(desk.write_settings())]
    places = {"HUBSPOT_TOKEN": TOKEN, "ICP_PUBLISHED": str(desk.folder / "published")}
    said = CliRunner().invoke(app, arguments, env=places)
    assert said.exit_code == 1
    assert "Traceback" not in said.output
    assert len(said.output.strip().splitlines()) == 1


def test_a_score_file_holds_no_formula(desk: Desk) -> None:
    desk.publish({})
    with duckdb.connect(str(desk.state / "icp.duckdb")) as marts:
        types = (
            "definition varchar, attribute varchar, operator varchar, value varchar, points double, lowest double, highest double"
        )
        marts.execute(f"create table marts.icp_scorecard ({types})")
        marts.execute(
            "insert into marts.icp_scorecard values ('=HYPERLINK(\"x\")', 'industry', '=', '@Fishing', -2.0, null, null)"
        )
    out = desk.folder / "score.csv"
    arguments = ["hubspot", "score", "--out", str(out), "--config", str(desk.write_settings())]
    assert CliRunner().invoke(app, arguments, env={"ICP_PUBLISHED": str(desk.folder / "published")}).exit_code == 0
    [_, row_] = csv.reader(out.open(encoding="utf-8"))
    assert row_[1] == '\'=HYPERLINK("x")'
    assert "-2" in row_


# --- What HubSpot answers --------------------


@pytest.mark.parametrize("wait", ["86400", "inf", "1e300", "Sun, 22 Nov 2099 00:00:00 GMT"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_nobody_waits_for_hours(desk: Desk, wait: str, status: int) -> None:
    waited: list[float] = []
    desk.hubspot.faults = [Fault(status=status, body={}, headers={"Retry-After": wait}, times=99)]
    with Portal(desk.hubspot.url, TOKEN, sleep=waited.append) as portal, pytest.raises(Unreachable, match="asks to wait"):
        portal.groups()
    assert waited == []


WRONG = [
    *(None, 3, "text", True, [], [[]], [None], [3], ["text"], {}, {"results": {}}, {"a": 1}, [{}], [{"id": None}], [{"id": []}]),
    *([{"id": "1", "properties": 3}], [{"id": "1", "properties": {"a": []}}], [{"name": 3, "options": 4}], [{"name": {}}]),
    *([{"name": "icp_tier", "options": [3]}], [{"name": "icp_tier", "options": [{"value": []}]}]),
    *([{"id": "1", "propertiesWithHistory": []}], [{"id": "1", "propertiesWithHistory": {"a": [3]}}]),
    *([{"name": "icp_tier", "modificationMetadata": 3}], 1e999, "9" * 5000),
    # Half a letter, as of an emoji that was cut in two: no request can hold it.
    *([{"id": "\ud83d", "properties": {"icp_tier": "\ude00"}}], {"after": "\ud83d"}, [{"name": "icp_tier\ud83d"}]),
]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_an_answer_of_another_shape_is_no_traceback(synced: Desk, wrong: Any) -> None:
    parts = ["results", "portalId", "paging", "list", "errors", "message"]
    entry = {"action": "create", "key": "k", "name": "A", "filter_branch": filter_branch([])}
    with quick(synced.hubspot.url, attempts=1, requests_per_10_seconds=10_000) as portal:
        for body in (dict.fromkeys(parts, wrong), {"results": [], "paging": {"next": wrong}}, wrong):
            text = body if isinstance(body, dict) else json.dumps(body)
            synced.hubspot.faults = [Fault(status=200, body=text, times=999)]
            for call in (
                portal.portal_id,
                portal.groups,
                portal.properties,
                lambda: list(all_records(portal, "companies", ["icp_tier"])),
                lambda: portal.read_history("companies", ["101"], ["icp_tier"]),
                lambda: portal.update_records("companies", {"101": {"icp_tier": "tier_2"}, "102": {"icp_tier": "tier_2"}}),
                lambda: apply_lists(portal, [entry], synced.folder / "lists.jsonl"),
            ):
                with suppress(HubSpotError):
                    call()


@pytest.mark.parametrize("body", [{"results": 3}, {"results": [{"id": []}]}, {}, "[" * 100_000, "[]"])
def test_a_write_whose_answer_cannot_be_read_is_unsure(synced: Desk, body: Any) -> None:
    synced.hubspot.faults = [Fault(status=200, body=body, path="batch/update", times=99)]
    with quick(synced.hubspot.url) as portal, pytest.raises(Unsure):
        portal.update_records("companies", {"101": {"icp_tier": "tier_2"}})


def test_pages_that_go_round_in_a_circle_end(desk: Desk) -> None:
    pages = [Fault(status=200, body={"results": [], "paging": {"next": {"after": after}}}, path="companies$") for after in "1231"]
    desk.hubspot.faults = pages
    with quick(desk.hubspot.url) as portal, pytest.raises(Unreachable, match="go round in a circle"):
        list(all_records(portal, "companies", []))


def test_pages_that_begin_with_the_same_company_end(desk: Desk) -> None:
    """Each with a cursor of its own, for ever."""
    pages = ({"results": [{"id": "101"}], "paging": {"next": {"after": str(number)}}} for number in range(1000))
    desk.hubspot.faults = [Fault(status=200, body=page, path="companies$") for page in pages]
    with quick(desk.hubspot.url) as portal, pytest.raises(Unreachable, match="go round in a circle"):
        list(all_records(portal, "companies", []))
    assert len(desk.hubspot.faults) > 900


def test_half_a_letter_in_an_answer_breaks_no_request(desk: Desk) -> None:
    cut = {"results": [{"id": "1\ud83d"}], "paging": {"next": {"after": "2\ud83d"}}}
    desk.hubspot.faults = [
        Fault(status=200, body=cut, path="companies$"),
        Fault(status=200, body={"results": []}, path="companies$"),
    ]
    with quick(desk.hubspot.url) as portal:
        [[company], []] = all_records(portal, "companies", [])
        assert company["id"] == "1?"
        with pytest.raises(Refused, match="not a valid id"):
            portal.read_records("companies", [company["id"]], [])


def test_filters_of_another_shape_are_no_filters_of_ours() -> None:
    part = {"filterType": "PROPERTY", "property": "a", "operation": {"operationType": "NUMBER", "value": "x", "operator": "IS"}}
    for branch in (3, "x", [], {"filterBranches": 3}, {"filterBranches": [3]}, {"filterBranches": [{"filters": [part]}]}):
        whole = {"filterBranchType": "OR"} | branch if isinstance(branch, dict) else branch
        assert not meaning(whole)


def test_the_token_is_cleaned_out_of_what_was_escaped(synced: Desk) -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in TOKEN)
    said = ""
    for status in (200, 400, 403, 500):
        synced.hubspot.faults = [
            Fault(status=status, body=f'{{"message": "{escaped}", "errors": [{{"code": "{escaped}"}}]}}', times=99)
        ]
        with quick(synced.hubspot.url) as portal, pytest.raises(HubSpotError) as problem:
            portal.groups()
        said += str(problem.value)
    synced.hubspot.faults = [Fault(status=200, body=f'{{"results": [{{"id": "1", "properties": {{"name": "{escaped}"}}}}]}}')]
    with quick(synced.hubspot.url) as portal:
        said += json.dumps(list(all_records(portal, "companies", ["name"])))
    assert "[token]" in said
    assert TOKEN not in said


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on this machine that answers each connection by hand."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    with suppress(OSError):
                        answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_an_answer_that_trickles_ends(start: bytes) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(200):
            connection.sendall(b" ")
            time.sleep(0.05)

    with server(trickle) as url, quick(url, attempts=2, answer_seconds=0.3) as portal:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="the connection broke"):
            portal.groups()
        with pytest.raises(Unsure):
            portal.update_records("companies", {"1": {"icp_tier": "tier_1"}})
        assert time.monotonic() - began < 5


def test_an_answer_without_end_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST_ANSWER", 1_000_000)
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)
            sent += 65536

    with server(flood) as url, quick(url) as portal:
        with pytest.raises(Unreachable, match="more than 1,000,000 bytes"):
            portal.groups()
        with pytest.raises(Unsure, match="more than 1,000,000 bytes"):
            portal.update_records("companies", {"1": {"icp_tier": "tier_1"}})
    assert sent < 50_000_000


def test_an_answer_that_is_packed_twice_is_not_unpacked() -> None:
    """A thousandth of a thousandth: 10 kB would fill the memory in one step, before any bound is looked at."""
    packed = gzip.compress(gzip.compress(bytes(20_000_000)))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    with server(lambda connection: connection.sendall(head + packed)) as url, quick(url, attempts=2) as portal:
        tracemalloc.start()
        with pytest.raises(Unreachable):
            portal.groups()
        with pytest.raises(Unsure):
            portal.update_records("companies", {"1": {"icp_tier": "tier_1"}})
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 10_000_000
