"""The reference computation itself, on cases small enough to be worked out on paper."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pytest

from reference import COLUMNS, Row, add_months, complete_months, reference, survivors


def raw(**entities: list[dict]) -> dict[str, pd.DataFrame]:
    """Raw text frames from rows; one account `a` unless accounts are given."""
    entities.setdefault("accounts", [{"account_id": "a"}])
    return {
        entity: pd.DataFrame(rows, columns=[column.name for column in COLUMNS[entity]], dtype=object)
        for entity, rows in entities.items()
    }


def order(order_id: str, closed_at: str, **values: str) -> dict:
    return {"order_id": order_id, "account_id": "a", "order_status": "closed_won"} | {
        "closed_at": closed_at,
        **values,
    }


def line(order_line_id: str, order_id: str, amount: str, product_id: str = "p", **values: str) -> dict:
    names = {"order_line_id": order_line_id, "order_id": order_id, "amount": amount, "product_id": product_id}
    return {**names, "line_type": "recurring", **values}


def year(order_id: str, start: str, amount: str, product_id: str = "p", **values: str) -> tuple[dict, dict]:
    """A one-year order with one recurring line, closed on the day it starts."""
    return (
        order(order_id, start, starts_on=start, term_months="12", **values),
        line(f"{order_id}-1", order_id, amount, product_id),
    )


def marts(*pairs: tuple[dict, ...], as_of: str, **options: object) -> dict[str, pd.DataFrame]:
    entities = raw(orders=[pair[0] for pair in pairs], order_lines=[row for pair in pairs for row in pair[1:]])
    return reference(entities, as_of=date.fromisoformat(as_of), **options)


def movements(result: dict[str, pd.DataFrame]) -> list[tuple[str, str, Decimal]]:
    frame = result["fct_mrr_movements"]
    return [(f"{row.month:%Y-%m}", row.movement, row.mrr) for row in frame.itertuples()]


def contract(result: dict[str, pd.DataFrame], order_line_id: str) -> pd.Series:
    return result["fct_contracts"].set_index("order_line_id").loc[order_line_id]


def test_a_calendar_year_is_twelve_months() -> None:
    result = marts(year("o", "2023-01-01", "12000"), as_of="2024-06-30")
    assert contract(result, "o-1")["mrr"] == 1000
    assert contract(result, "o-1")["ends_on"] == date(2023, 12, 31)
    assert movements(result) == [("2023-01", "new", 1000), ("2024-01", "churn", 0)]
    row = result["fct_orders"].iloc[0]
    assert (row.monthly_recurring_revenue, row.annual_contract_value, row.total_contract_value) == (
        1000,
        12000,
        12000,
    )
    assert (row.order_type, row.term_months, row.is_multi_year) == ("new_business", 12, False)
    assert row.margin_amount is None


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        ("2023-01-31", "2023-02-27", 1),  # 31 January + 1 month = 28 February = the day after the end
        ("2023-01-31", "2023-02-28", 1),
        ("2023-01-31", "2023-04-29", 3),
        ("2023-01-31", "2023-04-28", 2),
        ("2024-02-29", "2025-02-27", 12),
        ("2023-01-10", "2023-01-20", 1),  # at least one
        ("2023-01-15", "2024-01-13", 11),
    ],
)
def test_complete_months(start: str, end: str, months: int) -> None:
    assert complete_months(date.fromisoformat(start), date.fromisoformat(end)) == months


def test_the_day_is_cut_to_the_length_of_the_month() -> None:
    assert add_months(date(2023, 1, 31), 1) == date(2023, 2, 28)
    assert add_months(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert add_months(date(2023, 3, 31), -1) == date(2023, 2, 28)


def test_a_late_renewal_within_the_grace_keeps_the_old_mrr() -> None:
    result = marts(year("o", "2023-01-01", "12000"), year("r", "2024-01-30", "12000"), as_of="2024-06-30")
    assert contract(result, "o-1")["live_until"] == date(2024, 1, 29)
    assert contract(result, "r-1")["renews_order_line_id"] == "o-1"
    assert movements(result) == [("2023-01", "new", 1000)]
    assert list(result["fct_orders"]["order_type"]) == ["new_business", "renewal"]


def test_a_renewal_one_day_after_the_grace_is_a_churn_and_a_reactivation() -> None:
    result = marts(year("o", "2023-01-01", "12000"), year("r", "2024-01-31", "12000"), as_of="2024-06-30")
    # 31 January is a month's last day, so January is live again already: nothing changed in it.
    assert movements(result) == [("2023-01", "new", 1000)]
    result = marts(year("o", "2023-01-01", "12000"), year("r", "2024-02-01", "12000"), as_of="2024-06-30")
    assert movements(result) == [
        ("2023-01", "new", 1000),
        ("2024-01", "churn", 0),
        ("2024-02", "reactivation", 1000),
    ]
    assert list(result["fct_orders"]["order_type"]) == ["new_business", "expansion"]


def test_an_early_renewal_supersedes_from_its_start() -> None:
    result = marts(year("o", "2023-01-01", "12000"), year("r", "2023-12-15", "9600"), as_of="2024-06-30")
    assert contract(result, "o-1")["live_until"] == date(2023, 12, 14)
    assert movements(result) == [("2023-01", "new", 1000), ("2023-12", "contraction", 800)]


def test_the_same_product_outside_the_window_is_more_seats() -> None:
    # 30 November 2023 is 31 days before 31 December (a renewal), 29 November 32 (seats).
    early = marts(year("o", "2023-01-01", "12000"), year("r", "2023-11-30", "6000"), as_of="2023-12-30")
    seats = marts(year("o", "2023-01-01", "12000"), year("r", "2023-11-29", "6000"), as_of="2023-12-30")
    assert movements(early)[-1] == ("2023-11", "contraction", 500)
    assert movements(seats)[-1] == ("2023-11", "expansion", 1500)


def test_another_product_is_added() -> None:
    result = marts(year("o", "2023-01-01", "12000"), year("x", "2023-12-15", "1200", "q"), as_of="2023-12-31")
    assert movements(result) == [("2023-01", "new", 1000), ("2023-12", "expansion", 1100)]


def test_replaces_order_id_supersedes_every_line_from_the_new_start() -> None:
    first, line_1 = year("o", "2023-01-01", "12000")
    result = marts(
        (first, line_1, line("o-2", "o", "6000", "q")),
        year("r", "2023-05-20", "24000", "z", replaces_order_id="o"),
        as_of="2023-12-31",
    )
    assert movements(result) == [("2023-01", "new", 1500), ("2023-05", "expansion", 2000)]
    assert contract(result, "o-2")["live_until"] == date(2023, 5, 19)
    assert contract(result, "r-1")["renews_order_line_id"] == "o-1"


def test_a_replacement_long_after_the_end_does_not_keep_the_old_mrr() -> None:
    result = marts(
        year("o", "2022-01-01", "12000"),
        year("r", "2023-03-01", "12000", replaces_order_id="o"),
        as_of="2023-12-31",
    )
    assert [movement for _, movement, _ in movements(result)] == ["new", "churn", "reactivation"]
    assert list(result["fct_orders"]["order_type"]) == ["new_business", "renewal"]


def test_an_upgrade_within_the_month_counts_once() -> None:
    result = marts(
        year("o", "2023-01-05", "12000"),
        year("r", "2023-01-20", "24000", replaces_order_id="o"),
        as_of="2023-03-31",
    )
    assert movements(result) == [("2023-01", "new", 2000)]


def test_a_contract_without_a_months_end_counts_in_its_first_month() -> None:
    short = order("o", "2023-03-05", starts_on="2023-03-05", ends_on="2023-03-20")
    result = marts((short, line("o-1", "o", "500")), as_of="2023-05-31")
    assert movements(result) == [("2023-03", "new", 500), ("2023-04", "churn", 0)]
    assert movements(marts((short, line("o-1", "o", "500")), as_of="2023-03-25")) == [("2023-03", "new", 500)]
    assert movements(marts((short, line("o-1", "o", "500")), as_of="2023-03-04")) == []


def test_early_termination_cuts_the_end_but_not_the_months() -> None:
    terminated = order("o", "2023-01-01", starts_on="2023-01-01", term_months="12", terminated_on="2023-06-15")
    result = marts((terminated, line("o-1", "o", "12000")), as_of="2023-12-31")
    assert movements(result) == [("2023-01", "new", 1000), ("2023-06", "churn", 0)]
    not_yet = marts((terminated, line("o-1", "o", "12000")), as_of="2023-06-14")
    assert contract(not_yet, "o-1")["ends_on"] == date(2023, 12, 31)
    assert movements(not_yet) == [("2023-01", "new", 1000)]


def test_a_contract_terminated_before_it_started_never_counts() -> None:
    terminated = order("o", "2023-01-01", starts_on="2023-03-01", term_months="12", terminated_on="2023-02-01")
    result = marts((terminated, line("o-1", "o", "12000")), as_of="2023-12-31")
    assert movements(result) == []
    assert result["fct_customers"]["cohort_month"][0] is None


def test_a_contract_that_never_began_is_not_kept_over_a_gap() -> None:
    never = order("o", "2023-01-01", starts_on="2023-03-30", term_months="12", terminated_on="2023-03-20")
    result = marts((never, line("o-1", "o", "12000")), year("r", "2023-04-10", "6000"), as_of="2023-12-31")
    assert contract(result, "r-1")["renews_order_line_id"] == "o-1"
    assert contract(result, "o-1")["live_until"] == date(2023, 3, 20)
    assert movements(result) == [("2023-04", "new", 500)]


def test_a_ramp_is_one_order_whose_mrr_is_that_of_its_start() -> None:
    ramp = order("o", "2023-01-01", starts_on="2023-01-01", ends_on="2024-12-31")
    result = marts(
        (
            ramp,
            line("o-1", "o", "12000", ends_on="2023-12-31"),
            line("o-2", "o", "24000", starts_on="2024-01-01"),
        ),
        as_of="2024-12-31",
    )
    assert movements(result) == [("2023-01", "new", 1000), ("2024-01", "expansion", 2000)]
    row = result["fct_orders"].iloc[0]
    assert (row.monthly_recurring_revenue, row.annual_contract_value, row.total_contract_value) == (
        1000,
        12000,
        36000,
    )
    assert (row.term_months, row.is_multi_year) == (24, True)


def test_a_credit_lowers_net_amount_only() -> None:
    first, line_1 = year("o", "2023-01-01", "12000")
    result = marts((first, {**line_1, "cost": "2000"}, line("o-2", "o", "-3000")), as_of="2023-12-31")
    row = result["fct_orders"].iloc[0]
    assert (row.net_amount, row.total_contract_value, row.margin_amount) == (9000, 12000, 7000)
    assert movements(result) == [("2023-01", "new", 1000)]


def test_services_and_orders_without_a_term_are_transactions() -> None:
    entities = raw(
        orders=[
            order("o", "2023-01-10", term_months="12"),
            order("t", "2023-03-10", amount="70"),
            order("n", "2023-04-10"),
        ],
        order_lines=[
            line("o-1", "o", "1200", "s", line_type=None),
            line("o-2", "o", "1200", "c", line_type=None),
        ],
        products=[
            {"product_id": "s", "product_name": "Setup", "product_type": "service"},
            {"product_id": "c", "product_type": "core"},
        ],
    )
    result = reference(entities, as_of=date(2023, 4, 30))
    assert dict(result["fct_order_lines"].set_index("order_line_id")["line_kind"]) == {
        "o-1": "transaction",
        "o-2": "contract",
        "order-t": "transaction",
        "order-n": "transaction",
    }
    orders = result["fct_orders"].set_index("order_id")
    assert orders.loc["o", "product_bundle"] == "Setup + c"
    assert orders.loc["t", ["net_amount", "term_months", "monthly_recurring_revenue"]].tolist() == [
        70,
        None,
        0,
    ]
    assert orders.loc["n", ["order_type", "net_amount", "margin_amount"]].tolist() == ["expansion", None, None]


def test_a_renewal_keeps_the_rate_of_what_it_renews() -> None:
    entities = raw(
        orders=[
            order("o", "2023-01-01", starts_on="2023-01-01", term_months="12", currency_code="eur"),
            order("r", "2024-01-01", starts_on="2024-01-01", term_months="12", currency_code="EUR"),
            order("s", "2025-01-01", starts_on="2025-01-01", term_months="12", currency_code="EUR"),
        ],
        order_lines=[line("o-1", "o", "12000"), line("r-1", "r", "12000"), line("s-1", "s", "12000")],
        exchange_rates=[
            {"currency_code": "EUR", "valid_from": "2022-01-01", "rate": "1.1"},
            {"currency_code": "EUR", "valid_from": "2023-12-31", "rate": "1.5"},
        ],
    )
    result = reference(entities, as_of=date(2025, 6, 30))
    assert list(result["fct_contracts"]["mrr"]) == [1100, 1100, 1100]
    assert list(result["fct_orders"]["total_contract_value"]) == [13200, 18000, 18000]
    assert list(result["fct_orders"]["annual_contract_value"]) == [13200, 13200, 13200]
    assert len(result["fct_mrr_movements"]) == 1


def test_amounts_are_rounded_half_away_from_zero_at_each_step() -> None:
    entities = raw(
        orders=[order("o", "2023-01-01", starts_on="2023-01-01", term_months="7", currency_code="EUR")],
        order_lines=[line("o-1", "o", "0.00005"), line("o-2", "o", "10", "q"), line("o-3", "o", "-0.5")],
        exchange_rates=[{"currency_code": "EUR", "valid_from": "2022-01-01", "rate": "0.3333"}],
    )
    result = reference(entities, as_of=date(2023, 1, 31))
    # 0.00005 is read as 0.0001, worth 0.0000; 3.333 / 7 = 0.47614...; -0.16665 rounds away from zero
    assert list(result["fct_contracts"]["mrr"]) == [Decimal("0.0000"), Decimal("0.4761")]
    assert result["fct_orders"]["net_amount"][0] == Decimal("3.1663")


def test_merges_are_followed_and_a_cycle_keeps_its_smallest_id() -> None:
    entities = raw(
        accounts=[
            {"account_id": "d", "merged_into_account_id": "c"},
            {"account_id": "c", "merged_into_account_id": "b"},
            {"account_id": "b", "merged_into_account_id": "c"},
            {"account_id": "e", "merged_into_account_id": "gone"},
            {"account_id": "f", "merged_into_account_id": "f"},
        ],
        orders=[
            {**order("o", "2023-01-01"), "account_id": "d"},
            {**order("q", "2023-02-01"), "account_id": "e"},
        ],
    )
    result = reference(entities)
    assert list(result["fct_orders"]["account_id"]) == ["b", "e"]
    assert list(reference(entities, excluded=["b"])["fct_orders"]["account_id"]) == ["e"]
    assert list(reference(entities, excluded=["c"])["fct_orders"]["account_id"]) == ["b", "e"]


def test_survivors_of_a_long_chain() -> None:
    chain = [Row((), {"account_id": f"{n:03}", "merged_into_account_id": f"{n + 1:03}" if n < 200 else None}) for n in range(201)]
    assert set(survivors(chain).values()) == {"200"}


def test_cohorts_by_hand() -> None:
    entities = raw(
        accounts=[{"account_id": "a"}, {"account_id": "b"}, {"account_id": "c"}],
        orders=[
            order("o", "2023-01-01", starts_on="2023-01-01", term_months="2"),
            {
                **order("q", "2023-01-01", starts_on="2023-01-01", ends_on="2023-03-31"),
                "account_id": "b",
            },
            {**order("t", "2023-02-10", amount="5"), "account_id": "c"},
        ],
        order_lines=[
            line("o-1", "o", "200"),
            line("q-1", "q", "900"),
            line("q-2", "q", "400", "x", starts_on="2023-02-01"),
        ],
    )
    result = reference(entities, as_of=date(2023, 3, 15))
    rows = result["cohort_retention"].drop(columns=["segment_id"]).values.tolist()
    january, february = date(2023, 1, 1), date(2023, 2, 1)
    assert rows == [
        [january, 0, 2, 2, 1.0, 400, 1.0, 1.0],
        [january, 1, 2, 2, 1.0, 400, 1.0, 1.5],
        [january, 2, 2, 1, 0.5, 400, 0.75, 1.25],
        [february, 0, 1, 1, 1.0, 0, None, None],
        [february, 1, 1, 0, 0.0, 0, None, None],
    ]


def test_what_is_dated_after_as_of_does_not_exist() -> None:
    entities = raw(
        opportunities=[
            {
                "opportunity_id": name,
                "account_id": "a",
                "is_closed": "true",
                "is_won": "true",
                "amount": "12",
                "created_at": created,
                "closed_at": closed,
            }
            for name, created, closed in [
                ("won", "2023-01-01", "2023-02-01T23:59:59Z"),
                ("later", "2023-01-01", "2023-02-02"),
                ("unborn", "2023-02-02", "2023-02-03"),
            ]
        ]
    )
    result = reference(entities, as_of=date(2023, 2, 1))
    assert result["fct_opportunities"].values.tolist() == [
        ["won", "a", True, True, datetime(2023, 2, 1, 23, 59, 59)],
        ["later", "a", False, False, None],
    ]
    assert list(result["fct_orders"]["order_id"]) == ["won"]
    assert list(reference(entities)["as_of"]["as_of"]) == [date(2023, 2, 3)]


def test_each_raw_row_is_rejected_by_one_rule_or_accepted() -> None:
    entities = raw(
        orders=[
            order("fine", "2023-01-01"),
            order("fine", "2023-01-01"),
            order("two", "2023-01-01", amount="1"),
            order("two", "2023-01-01", amount="2"),
            order("bad-line", "2023-01-01"),
            order("mismatch", "2023-01-01", starts_on="2023-01-01", ends_on="2023-12-31", term_months="24"),
            order("close", "2023-01-01", starts_on="2023-01-01", ends_on="2023-12-31", term_months="13"),
            order("backwards", "2023-01-01", starts_on="2023-01-02", ends_on="2023-01-01"),
            order("foreign", "2023-01-01", currency_code="XXX"),
            order("ancient", "0203-01-01"),
            order("when", "soon"),
            {**order("who", "2023-01-01"), "account_id": "nobody"},
            {**order("what", "2023-01-01"), "order_status": "maybe"},
            order("zero", "2023-01-01", term_months="0"),
        ],
        order_lines=[
            line("1", "fine", "1"),
            line("1", "fine", "1"),
            line("2", "bad-line", "x"),
            line("3", "bad-line", "1"),
            line("4", "nowhere", "1"),
            line("5", "two", "1"),
        ],
    )
    result = reference(entities)
    counts = {(row.entity, row.rule): row.rows for row in result["input_rejects"].itertuples()}
    assert counts == {
        ("orders", "exact_duplicate"): 1,
        ("orders", "conflicting_duplicate"): 2,
        ("orders", "rejected_line"): 1,
        ("orders", "term_mismatch"): 1,
        ("orders", "ends_before_start"): 1,
        ("orders", "unknown_currency"): 1,
        ("orders", "implausible_date"): 1,
        ("orders", "unreadable_value"): 1,
        ("orders", "unknown_account"): 1,
        ("orders", "not_allowed_value"): 2,
        ("order_lines", "exact_duplicate"): 1,
        ("order_lines", "unreadable_value"): 1,
        ("order_lines", "order_rejected"): 2,
        ("order_lines", "unknown_order"): 1,
    }
    assert sorted(result["fct_orders"]["order_id"]) == ["close", "fine"]
