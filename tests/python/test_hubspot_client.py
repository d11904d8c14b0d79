"""What the client of HubSpot does with limits, lost answers, tokens and scopes."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from hubspot_desk import Desk, row
from hubspot_portal import TOKEN, Fault, HubSpotPortal, RollingLimit, SimulatedClock, bad_gateway, too_many_requests
from icp_refinery.hubspot import client
from icp_refinery.hubspot.apply import Outcome
from icp_refinery.hubspot.client import Portal, TokenBucket
from icp_refinery.hubspot.errors import BadAddress, DailyQuota, HubSpotError, MissingScope, Unauthorized, Unreachable
from icp_refinery.hubspot.plan import read_plan


@pytest.mark.parametrize("retry_after", ["7", None, "Sun, 22 Nov 2020 00:00:00 GMT", "soon", "nan"])
def test_too_many_requests_are_waited_for(desk: Desk, retry_after: str | None) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row()})
    desk.hubspot.faults += [too_many_requests(retry_after=retry_after, path=p, times=2) for p in ("batch/update", "/companies$")]
    assert desk.sync() == Outcome(written=1)
    assert [call.status for call in desk.updates()] == [429, 429, 200]
    # Two waits for each of two calls; without a number to go by they are random, but not nothing.
    assert desk.clock.seconds >= (28 if retry_after == "7" else 0 if retry_after and "2020" in retry_after else 0.2)


def test_what_another_command_called_just_before_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """HubSpot counts it in the same ten seconds. Whatever chance says, patience lasts longer."""
    monkeypatch.setattr("random.uniform", lambda low, high: low)
    desk.hubspot.limits.append(("", RollingLimit(100, 10, "TEN_SECONDLY_ROLLING", desk.clock.now)))
    with desk.portal() as before:
        for _ in range(100):
            before.portal_id()
    with desk.portal() as portal:
        assert portal.portal_id() == desk.hubspot.portal_id
    assert 10 <= desk.clock.seconds <= 13


def test_more_429s_than_patience_stop_the_run(desk: Desk) -> None:
    desk.publish({})
    desk.hubspot.faults.append(too_many_requests(times=99))
    with pytest.raises(Unreachable, match=r"429 .*limit.*6 times"):
        desk.diff()
    desk.hubspot.faults = [too_many_requests(retry_after="86400", times=1)]
    with pytest.raises(Unreachable, match="wait 86400 seconds"):
        desk.diff()


def test_the_daily_quota_stops_the_run_and_says_so(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    synced.hubspot.faults.append(too_many_requests("DAILY", path="batch/update"))
    before = len(synced.hubspot.calls)
    stopped = synced.command("apply", "--apply")
    assert stopped.exit_code == 1
    assert "used up its API calls of today" in stopped.output
    assert synced.hubspot.calls[-1].status == 429
    assert len(synced.hubspot.calls) > before
    assert synced.hubspot.commits == []
    synced.hubspot.faults.append(too_many_requests("DAILY"))
    with pytest.raises(DailyQuota):
        synced.apply()
    assert synced.apply() == Outcome(written=3)


def lost_answers() -> list[Fault]:
    """Ways in which an update happens, or does not, without an answer that says which."""
    broken = [
        {"drop": True},
        {"status": 500},
        {"status": 502, "body": "<html>Bad Gateway</html>"},
        {"status": 200, "body": '{"res'},
    ]
    return [Fault(path="batch/update", after=after, **how) for how in broken for after in (True, False)]


@pytest.mark.parametrize("number", range(len(lost_answers())))
def test_a_write_whose_answer_is_lost_is_not_made_twice(synced: Desk, number: int) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    fault = lost_answers()[number]
    synced.hubspot.faults.append(fault)
    assert synced.apply(today=date(2026, 12, 1)) == Outcome(written=3)
    assert len(synced.updates()) == (1 if fault.after else 2)
    assert Counter((c.company_id, c.property) for c in synced.hubspot.commits) == {
        (record, name): 1 for record in ("101", "102", "103") for name in ("icp_tier", "icp_changed_on")
    }
    assert synced.apply(today=date(2026, 12, 2)) == Outcome(already=3)


def test_reading_goes_on_after_broken_connections_and_errors(synced: Desk) -> None:
    synced.hubspot.faults += [
        bad_gateway(path="/companies$", method="GET"),
        Fault(drop=True, path="/details"),
        Fault(status=503, headers={"Retry-After": "3"}, path="/groups"),
        Fault(status=200, body='{"results": [', path="objects.*companies$"),
    ]
    assert synced.diff()["changes"] == 0
    synced.hubspot.faults.append(bad_gateway(path="/details", times=99))
    with pytest.raises(Unreachable, match=r"502 \(no JSON: '<html>"):
        synced.diff()


NOT_HUBSPOTS = ["{}", "", "[]", '{"results": null, "errors": null}']


def test_an_answer_without_what_was_asked_for_does_not_mean_that_there_is_nothing(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    for path in ("details", "/groups$", "properties/.*/companies$", "objects/.*/companies$", "batch/read"):
        for body in NOT_HUBSPOTS:
            synced.hubspot.faults = [Fault(status=200, body=body, path=path, times=99)]
            with pytest.raises(Unreachable, match=r"the answer has no|200 \(no JSON"):
                synced.diff()
    # The plan of before is still there.
    assert read_plan(synced.plan)[1]["withheld"] == 0


@pytest.mark.parametrize("body", NOT_HUBSPOTS)
def test_an_update_whose_answer_does_not_say_what_was_written_is_looked_up(synced: Desk, body: str) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    synced.hubspot.faults.append(Fault(status=200, body=body, path="batch/update", after=True))
    assert synced.apply() == Outcome(written=3)
    assert len(synced.updates()) == 1


def test_a_portal_that_is_not_there_is_said(desk: Desk) -> None:
    desk.publish({})
    with Portal("http://127.0.0.1:9", TOKEN, sleep=lambda _: None) as nowhere, pytest.raises(Unreachable, match="no connection"):
        nowhere.portal_id()


def test_a_revoked_token_is_said(synced: Desk) -> None:
    synced.hubspot.is_revoked = True
    with pytest.raises(Unauthorized, match=r"EXPIRED_AUTHENTICATION.*revoked or expired"):
        synced.diff()
    shown = synced.command("diff", token="")
    assert shown.exit_code == 1
    assert "HUBSPOT_TOKEN" in shown.output


@pytest.mark.parametrize("kind", ["objects", "schemas"])
@pytest.mark.parametrize("way", ["read", "write"])
def test_a_missing_scope_is_named(desk: Desk, kind: str, way: str) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row()})
    desk.hubspot.scopes.remove(f"crm.{kind}.companies.{way}")
    with pytest.raises(MissingScope, match=f"crm.{kind}.companies.{way} "):
        desk.sync()
    assert desk.hubspot.commits == []


@pytest.mark.parametrize("way", ["read", "write"])
def test_a_missing_scope_is_named_where_hubspot_does_not(desk: Desk, way: str) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row()})
    method = {"read": "GET", "write": "POST"}[way]
    desk.hubspot.faults.append(Fault(status=403, body="<html>no</html>", path="companies/groups", method=method))
    with pytest.raises(MissingScope, match=f"crm.schemas.companies.{way} "):
        desk.sync()


def test_the_token_is_in_no_output_and_no_file(synced: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    echo = {"status": "error", "message": f"bad header Authorization: Bearer {TOKEN}", "errors": [{"message": TOKEN}]}
    said = ""
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    for status in (400, 401, 403, 429, 500):
        for body in (echo, f"<pre>{TOKEN}</pre>"):
            for path in ("details", "batch/update"):
                synced.hubspot.faults = [Fault(status=status, body=body, path=path, headers={"Retry-After": "0"}, times=99)]
                try:
                    synced.sync()
                except Exception as problem:
                    said += f"{problem!r} {problem} {problem.__cause__!r} {problem.__dict__!r}"
    synced.hubspot.faults = [Fault(status=400, body=echo, path="details")]
    said += synced.command("diff").output
    said += synced.command("diff").output
    written = synced.command("apply", "--apply")
    assert written.exit_code == 0, written.output
    said += written.output + synced.command("revert", str(synced.journal), "--apply").output
    with synced.portal() as portal:
        said += f"{portal!r} {portal} {vars(portal)!r}"
    said += caplog.text
    files = [path for path in synced.folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    secrets = [TOKEN, TOKEN[-12:]]
    assert "[token]" in said
    assert not [secret for secret in secrets if secret in said]
    assert not [path for path in files for secret in secrets if secret.encode() in path.read_bytes()]


def test_the_token_is_only_sent_over_https_or_to_this_machine() -> None:
    with pytest.raises(BadAddress, match="https"):
        Portal("http://api.hubapi.com", TOKEN)
    # The settings allow each address of this machine, and so does the client.
    Portal("http://127.0.0.2:9", TOKEN)
    for token in ("", "two words", "line\nbreak", "schlüssel"):
        with pytest.raises(Unauthorized) as refused:
            Portal("https://api.hubapi.com", token)
        assert not token or token not in str(refused.value)


def test_a_proxy_in_the_environment_never_gets_the_token_unencrypted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with HubSpotPortal() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        with desk.portal() as portal:
            assert portal.portal_id() == 4242
        assert proxy.calls == []
    for unusable in ("socks5://127.0.0.1:9", "http://[::1", "127.0.0.1:9:9"):
        monkeypatch.setenv("HTTPS_PROXY", unusable)
        monkeypatch.setenv("https_proxy", unusable)
        with pytest.raises(HubSpotError, match="proxy in the environment"):
            Portal("https://api.hubapi.com", TOKEN)


@pytest.mark.parametrize("limit", [1, 10, 100, 190])
def test_no_window_of_ten_seconds_sees_more_calls_than_the_limit(limit: int) -> None:
    clock = SimulatedClock()
    bucket = TokenBucket(limit, clock=clock.now, sleep=clock.sleep)
    at = []
    for number in range(5 * limit):
        bucket.take()
        at.append(clock.now())
        if number == limit:
            clock.sleep(100)
    assert all(later - earlier >= 10 - 1e-6 for earlier, later in zip(at, at[limit:], strict=False))
    if limit >= 100:
        assert at[-1] - at[limit + 1] < 4 * 10 * 1.1


def test_the_client_knows_no_way_to_create_or_delete_a_company() -> None:
    source = Path(client.__file__).read_text()
    assert not [word for word in ("batch/create", "batch/upsert", "batch/archive", 'merge"', "DELETE") if word in source]
