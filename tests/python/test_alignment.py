"""The alignment marts, each against an independent computation in pandas, on the demo company."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from conftest import BuildResult

pytestmark = pytest.mark.slow
STAGES = ["lead", "mql", "sql", "opportunity", "won"]


def read(database: Path, relation: str) -> pd.DataFrame:
    """A relation with numbers as floats and moments as pandas has them."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(f"select * from {relation}").df()
    for name in found.columns:
        if str(found[name].dtype).startswith(("Int", "int", "decimal")):
            found[name] = found[name].astype(float)
    return found


def as_of(database: Path) -> pd.Timestamp:
    return pd.Timestamp(read(database, "intermediate.int_as_of")["as_of"][0])


def days(earlier: pd.Series, later: pd.Series) -> pd.Series:
    return (pd.to_datetime(later).dt.normalize() - pd.to_datetime(earlier).dt.normalize()).dt.days


def entries(database: Path) -> pd.DataFrame:
    """Stage, account, entry and next entry, from the contacts, opportunities and orders alone."""
    end = as_of(database) + pd.Timedelta(days=1)
    accounts = read(database, "intermediate.int_accounts__resolved").set_index("account_id")
    contacts = read(database, "input.input_contacts")
    contacts = contacts[~contacts["account_id"].map(accounts["is_excluded"]).fillna(False).astype(bool)]
    contacts["account_id"] = contacts["account_id"].map(accounts["resolved_account_id"])
    deals = read(database, "marts.fct_opportunities").query("opportunity_type == 'new_business'")
    orders = read(database, "marts.fct_orders")

    rows = []
    for contact in contacts.itertuples():
        dates = [contact.became_lead_at, contact.became_mql_at, contact.became_sql_at]
        dates = [date if pd.notna(date) and date < end else pd.NaT for date in dates]
        theirs = deals[deals["account_id"] == contact.account_id]["created_at"]
        for place, date in enumerate(dates):
            if pd.isna(date):
                continue
            later = [other for other in dates[place + 1 :] if pd.notna(other) and other.normalize() >= date.normalize()]
            if place == 2:
                later = [other for other in theirs if other.normalize() >= date.normalize()]
            rows.append((STAGES[place], contact.account_id, date, min(later) if later else pd.NaT, None, np.nan, np.nan))
    named = orders.groupby("opportunity_id")[["net_amount", "monthly_recurring_revenue"]].sum()
    for deal in deals.itertuples():
        won = deal.closed_at if deal.is_won else pd.NaT
        size, mrr = named.loc[deal.opportunity_id] if deal.is_won and deal.opportunity_id in named.index else (np.nan, np.nan)
        size = deal.amount if deal.is_won and np.isnan(size) else size
        rows.append(("opportunity", deal.account_id, deal.created_at, won, deal.is_closed, size, mrr))
        if pd.notna(won):
            rows.append(("won", deal.account_id, won, pd.NaT, True, size, mrr))
    by_deal = set(deals[deals["is_won"]]["account_id"])
    for order in orders.sort_values(["closed_at", "order_id"]).drop_duplicates("account_id").itertuples():
        if order.account_id not in by_deal:
            mrr = order.monthly_recurring_revenue
            rows.append(("won", order.account_id, order.closed_at, pd.NaT, True, order.net_amount, mrr))
    made = pd.DataFrame(rows, columns=["stage", "account_id", "entered_at", "next_at", "is_closed", "deal_size", "mrr"])
    placed = read(database, "marts.icp_segments").set_index("segment_id")["tier"]
    segments = read(database, "intermediate.int_accounts__segments").set_index("account_id")["segment_id"]
    made["segment_id"] = made["account_id"].map(segments).fillna("unassigned")
    made["tier"] = made["segment_id"].map(placed).fillna("unassigned")
    made["days"] = days(made["entered_at"], made["next_at"])
    made["age"] = (as_of(database) - made["entered_at"].dt.normalize()).dt.days
    return made


def figures(rows: pd.DataFrame, stage: str) -> dict[str, float]:
    """What icp_funnel says of the entries into one stage."""
    said: dict[str, float] = {"entered_count": len(rows)}
    if stage != "won":
        said["reached_count"] = rows["next_at"].notna().sum()
        said["median_days_to_next"], said["p75_days_to_next"] = rows["days"].quantile([0.5, 0.75])
        for window in (30, 90, 180):
            old = rows[rows["age"] >= window]
            n, converted = len(old), int((old["days"] <= window).sum())
            said |= {f"matured_{window}_days_count": n, f"converted_{window}_days_count": converted}
            if n:
                low, high = proportion_confint(converted, n, method="wilson")
                said |= {f"conversion_{window}_days_rate": converted / n}
                said |= {f"conversion_{window}_days_low": low, f"conversion_{window}_days_high": high}
    if stage == "opportunity":
        closed = rows["is_closed"].sum()
        won = rows["next_at"].notna().sum()
        said |= {"open_count": len(rows) - closed, "closed_count": closed, "won_count": won, "win_rate": won / closed}
        said["win_rate_low"], said["win_rate_high"] = proportion_confint(won, closed, method="wilson")
        said["average_days_to_close"] = rows["days"].mean()
        speed = (len(rows) - closed) * won / closed * rows["deal_size"].mean() / rows["days"].mean()
        said["pipeline_velocity"] = speed
    if stage in ("opportunity", "won"):
        for name in ("deal_size", "mrr"):
            said |= {f"{name}_count": rows[name].notna().sum(), f"average_{name}": rows[name].mean()}
    return said


def assert_equal(found: pd.DataFrame, expected: pd.DataFrame, key: list[str]) -> None:
    """The same rows, and in the columns of `expected` the same figures."""
    found, expected = found.set_index(key).sort_index(), expected.set_index(key).sort_index()
    assert found.index.is_unique
    pd.testing.assert_index_equal(found.index, expected.index)
    found = found[expected.columns]
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9, atol=1e-9)


def test_funnel(demo: BuildResult) -> None:
    made = entries(demo.database)
    rows = []
    for stage, of_stage in made.groupby("stage"):
        for tier, segment, chosen in [
            ("all", "all", of_stage),
            *((tier, "all", each) for tier, each in of_stage.groupby("tier")),
            *((*names, each) for names, each in of_stage.groupby(["tier", "segment_id"])),
        ]:
            rows.append({"tier": tier, "segment_id": segment, "stage": stage} | figures(chosen, stage))
    found = read(demo.database, "marts.icp_funnel").drop(columns="stage_number")
    expected = pd.DataFrame(rows)
    assert set(expected["stage"]) == set(STAGES)
    assert set(expected.columns) == set(found.columns)
    assert_equal(found, expected, ["tier", "segment_id", "stage"])
