"""A playbook says what the marts say, with n, and after how many weeks the held-out share can tell."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from icp_refinery.hubspot.config import Config, Nurture
from icp_refinery.nurture import as_markdown, plans, weeks_to_tell

AS_OF = date(2025, 6, 30)
EMAILS = {"all": [7, 8], "seg_2": [9]}


def marts_of(companies: int = 400, reach: int = 4, name: str = "Banks", **more: Any) -> duckdb.DuckDBPyConnection:
    """Of `companies`, one every three days until as_of, every `reach`th came from mql to sql within 30 days."""
    marts = duckdb.connect()
    marts.execute("create schema marts")
    tables = {
        "icp_segments": "segment_id varchar, segment_name varchar, tier varchar, definition varchar, pursuit_count integer,"
        " lift double, lift_low double, lift_high double",
        "icp_segment_rules": "segment_id varchar, attribute varchar, operator varchar, value varchar",
        "icp_attribute_effects": "outcome varchar, attribute varchar, value varchar, verdict varchar, accounts integer,"
        " lift double, lift_low double, lift_high double, q_value double",
        "icp_segment_profiles": "segment_id varchar, aspect varchar, dimension varchar, value varchar, share double,"
        " share_low double, overall_share double, accounts integer, accounts_with integer",
        "icp_seasonality": "dimension varchar, value varchar, verdict varchar, reason varchar, calendar_month integer,"
        " is_season boolean",
        "icp_product_mix": "segment_id varchar, item_type varchar, item_name varchar, attach_rate double, attach_rate_low double,"
        " overall_attach_rate double, customer_count integer",
        "icp_funnel": "segment_id varchar, stage varchar, stage_number integer, entered_count integer, reached_count integer,"
        " open_count integer, median_days_to_next double, p75_days_to_next double, matured_90_days_count integer,"
        " conversion_90_days_rate double, conversion_90_days_low double, conversion_90_days_high double, as_of date",
        "fct_stage_entries": "account_id varchar, segment_id varchar, stage varchar, entered_on date",
    }
    for table, columns in tables.items():
        marts.execute(f"create table marts.{table} ({columns})")
    rows = {
        "icp_segments": [("seg_1", name, "tier_1", "industry is Banking", 113, 3.4, 2.4, 4.5)],
        "icp_funnel": [
            ("seg_1", "mql", 2, 400, 100, 0, 20, 47, 153, 0.25, 0.2, 0.3, AS_OF),
            ("seg_1", "sql", 3, 100, 50, 0, 20, 47, 90, 0.5, 0.4, 0.6, AS_OF),
        ],
        "fct_stage_entries": [],
    } | more
    for number in range(companies):
        day = AS_OF - timedelta(days=3 * number)
        rows["fct_stage_entries"].append((f"A{number}", "seg_1", "mql", day))
        if number % reach == 0 and number:
            rows["fct_stage_entries"].append((f"A{number}", "seg_1", "sql", min(day + timedelta(days=30), AS_OF)))
    for table, values in rows.items():
        marts.executemany(f"insert into marts.{table} values ({', '.join('?' * len(values[0]))})", [list(row) for row in values])
    return marts


def plan_of(marts: duckdb.DuckDBPyConnection, **settings: Any) -> dict[str, Any]:
    [plan] = plans(marts, Config(nurture=Nurture(**settings)))
    return plan


def test_the_weeks_follow_from_those_that_wait_and_those_that_come() -> None:
    assert weeks_to_tell(100, 100, 0, 90) == 13
    assert weeks_to_tell(100, 40, 2.0, 90) == 43  # 30 weeks until the last of 60 has come, and 90 days
    assert weeks_to_tell(100, 40, 0, 90) is None


def test_a_playbook_says_when_the_held_out_share_can_tell() -> None:
    held = plan_of(marts_of(), smallest_effect=0.5)["holdout"]
    # Of 370 that entered 90 days ago or before, 92 reached the goal; 122 came in the last year.
    assert held["companies_waiting"] == 400 - 99
    assert held["companies_a_week"] == pytest.approx(122 * 7 / 365, abs=0.01)
    assert "24.9% of companies (n = 370)" in held["why"]
    assert held["weeks"] == weeks_to_tell(held["companies_needed"], 301, 122 * 7 / 365, 90)
    assert f"**after {held['weeks']} weeks** it can tell" in as_markdown(plan_of(marts_of(), smallest_effect=0.5))
    long = as_markdown(plan_of(marts_of(), smallest_effect=0.05))
    assert "That is long to wait for" in long


def test_what_the_data_do_not_say_is_said() -> None:
    page = as_markdown(plan_of(marts_of()))
    for sentence in (
        "No topic is shown to change an outcome",
        "Function: the data say nothing about whom to address",
        "No product is bought more often here",
        "No month is shown to be better",
        "| 0 | e-mail 1 | your choice: no evidence | to choose: nurture.emails |",
    ):
        assert sentence in page, sentence


def test_topics_that_raise_come_first_and_have_their_n() -> None:
    effects = [
        ("won", "topic_security", "1", "raises", 90, 1.4, 1.2, 1.6, 0.01),
        ("won", "topic_price", "1", "lowers", 80, 0.7, 0.6, 0.9, 0.01),
    ]
    profiles = [("seg_1", "engagement", "topic", "compliance", 0.8, 0.7, 0.4, 173, 100)]
    products = [("seg_1", "product", "Onboarding", 0.53, 0.42, 0.22, 76), ("seg_1", "product", "Usual", 0.3, 0.1, 0.22, 76)]
    marts = marts_of(icp_attribute_effects=effects, icp_segment_profiles=profiles, icp_product_mix=products)
    plan = plan_of(marts, emails=EMAILS)
    assert [(step["day"], step["about"], step["hubspot_email"]) for step in plan["steps"]] == [
        (0, "security", 7),
        (24, "compliance", 8),
        (48, "a call", None),
    ]
    page = as_markdown(plan)
    assert "Topic security (1) raises won: 1.4 times (1.2 to 1.6) (n = 90, all accounts)." in page
    assert "compliance (80% against 40% of all; n = 173)" in page
    assert "Onboarding (53% against 22% of all; n = 76)" in page
    assert "Usual" not in page


def test_settings_of_a_segment_go_before_those_of_all() -> None:
    steps = plan_of(marts_of(), emails={"all": [7, 8], "seg_1": [9]}, delay_days=5, owner_task=False)["steps"]
    assert [(step["day"], step["hubspot_email"]) for step in steps] == [(0, 9)]


def test_names_from_outside_make_nothing_of_the_page() -> None:
    page = as_markdown(plan_of(marts_of(name="<b>A|B</b>\n# *x* [y](z)")))
    assert "# Nurture: \\<b\\>A\\|B\\</b\\> \\# \\*x\\* \\[y\\](z)" in page
