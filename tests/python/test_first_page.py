"""Every figure of the report's first page, counted anew; and what the page says where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from conftest import BuildResult, frame
from test_report import Page, altered, demo_page, demo_report, rendered, same, words_of

__all__ = ["demo_page", "demo_report"]

SINCE, BEFORE = "2024-07-01", "2025-07-01"  # the last four quarters of the demo company
NEW = "coalesce(opportunity_type, 'new_business') = 'new_business'"
# By measure: the tier of each account, and how much of it; null without an account.
COUNTED = {
    "leads": "select account_id, 1 as n from intermediate.int_contacts__stage_entries where stage = 'lead' and {entered_at}",
    "opportunities": f"select account_id, 1 as n from marts.fct_opportunities where {NEW} and {{created_at}}",
    "campaign spend": "select account_id, amount as n from intermediate.int_accounts__campaign_spend where {spend_month}",
    "won value": "select account_id, net_amount as n from marts.fct_orders where order_type = 'new_business' and {closed_at}",
}


def by_tier(demo: BuildResult, measure: str) -> pd.Series:
    within = {at: f"{at} >= '{SINCE}' and {at} < '{BEFORE}'" for at in ("entered_at", "created_at", "spend_month", "closed_at")}
    query = f"""(
        select coalesce(accounts.tier, 'none') as tier, sum(n)::double as n from ({COUNTED[measure].format(**within)}) as counted
        left join marts.dim_accounts as accounts on counted.account_id = accounts.account_id group by all
    )"""
    return frame(demo.database, query).set_index("tier")["n"]


def first_deals(demo: BuildResult) -> pd.DataFrame:
    deals = frame(demo.database, f"(from marts.fct_opportunities where is_closed and {NEW})")
    deals["closed_at"] = pd.to_datetime(deals["closed_at"])
    return deals.sort_values(["closed_at", "opportunity_id"]).drop_duplicates("account_id")


def shown(page: Page, value: float) -> bool:
    return any(same(text, value) for text in page.data["answer"])


@pytest.mark.slow
@pytest.mark.parametrize("measure", COUNTED)
def test_the_money_sentence_is_counted_anew(measure: str, demo: BuildResult, demo_page: Page) -> None:
    found = by_tier(demo, measure)
    assert shown(demo_page, found.sum())
    for tier, name in (("tier_1", "Best fit"), ("deprioritized", "Low fit")):
        share = found[tier] / found.sum()
        assert shown(demo_page, share), (tier, share)
        answer = words_of(demo_page, "answer").replace("\u00a0", " ")
        sentence = answer[answer.index(f"{name} gets") :].split(". ")[0]
        written = f"{100 * share:.{1 if share < 0.0995 else 0}f} %"
        assert f"{written} of {measure}" in sentence or (measure == "won value" and f"and brings {written}" in sentence)


@pytest.mark.slow
def test_the_upside_is_accounts_times_win_rate_times_value(demo: BuildResult, demo_page: Page) -> None:
    [segment] = frame(demo.database, "(from marts.icp_segments where tier in ('tier_1', 'tier_2'))").to_dict("records")
    deals = first_deals(demo)
    recent = deals[(deals["segment_id"] == segment["segment_id"]) & (deals["closed_at"] >= SINCE)]
    accounts = len(frame(demo.database, "(from marts.icp_disagreements where reason = 'nobody')"))
    per_win = segment["value_per_pursuit"] * segment["pursuit_count"] / segment["won_pursuit_count"]
    ends = proportion_confint(recent["is_won"].sum(), len(recent), method="wilson")
    for rate in (recent["is_won"].mean(), *ends):
        assert any(same(text, accounts * rate * per_win) for text in demo_page.data["upside"]), rate
    assert "a scenario, not a forecast" in demo_page.texts["upside"]


@pytest.mark.slow
def test_what_rises_and_what_is_too_much_to_stop_is_counted_anew(demo: BuildResult, demo_page: Page) -> None:
    deals = first_deals(demo).merge(
        frame(demo.database, "(select account_id, industry from marts.dim_accounts)"), on="account_id"
    )
    energy = deals[deals["industry"] == "Energy"]
    late = energy["closed_at"] >= SINCE
    won = energy["is_won"]
    assert (
        f"industry Energy, {won[late].sum()} of {late.sum()} won in the last year, {won[~late].sum()} of {(~late).sum()} before"
    ) in words_of(demo_page, "answer")
    accounts = frame(demo.database, "marts.dim_accounts")["tier"].eq("deprioritized").mean()
    orders = frame(demo.database, "marts.fct_orders").astype({"net_amount": float})
    sold = orders.loc[orders["tier"] == "deprioritized", "net_amount"].sum() / orders["net_amount"].sum()
    assert shown(demo_page, accounts)
    assert shown(demo_page, sold)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("update marts.icp_alignment set spend = 0", "of leads and 10 % of opportunities, and brings"),
        ("delete from marts.icp_alignment", "No reporting cycle of the last four quarters is finished."),
        ("update marts.icp_alignment set won_value = null where tier = 'tier_1'", "Best fit gets 10 % of leads"),
        ("update marts.icp_alignment set won_value = 0", "Nothing was won in the last four quarters."),
        (
            "update marts.icp_alignment set lead_count = 0, opportunity_count = 0, spend = 0",
            "no leads, opportunities or campaign spend are recorded",
        ),
        ("update marts.icp_segments set tier = 'tier_3'", "No tier stands out"),
        ("update marts.icp_segments set tier = 'tier_3', segment_name = 'A'", "but which of them is worth more is not shown"),
        ("update marts.icp_segments set won_pursuit_count = pursuit_count", "so the chance of winning is not known"),
        ("delete from marts.icp_disagreements", "no open account of the best tiers is known that nobody works"),
        (
            "update marts.fct_opportunities set is_first_deal = false",
            "fewer than 10 first deals of theirs closed in the last four quarters",
        ),
    ],
)
def test_without_evidence_it_says_why(change: str, says: str, demo: BuildResult, tmp_path: Path) -> None:
    with altered(demo, tmp_path) as connection:
        if "fct_opportunities" in change:
            connection.execute("create table marts.deals as from marts.fct_opportunities; drop view marts.fct_opportunities")
            connection.execute("alter table marts.deals rename to fct_opportunities")
        connection.execute(change)
    answer = words_of(Page(rendered(tmp_path / "icp.duckdb", charted=False)), "answer")
    assert says in answer.replace("\u00a0", " ")


@pytest.mark.slow
def test_the_share_to_stop_at_is_a_setting(demo: BuildResult, monkeypatch: pytest.MonkeyPatch) -> None:
    from icp_refinery import report

    render = report.render
    with_all: dict[str, Any] = {"stop_share": 1.0}
    monkeypatch.setattr(report, "render", lambda *given: render(*given, **with_all))
    monkeypatch.setattr("icp_refinery.report.first_page.MOST_TO_STOP", 1.0)
    assert "Stop targeting" in words_of(Page(rendered(demo.database, charted=False)), "answer")
