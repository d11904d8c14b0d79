"""icp_segment_profiles against a computation in pandas from the accepted input and the core marts, on the demo company."""

import csv
import re

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from conftest import ROOT, BuildResult, frame

pytestmark = pytest.mark.slow


def roles_of(title: str | None, kind: str) -> list[str]:
    """What a job title stands for, by the project's seed."""
    words = " " + re.sub(r"[,./\-&()]", " ", (title or "").lower()) + " "
    with (ROOT / "seeds" / "reference" / "job_title_roles.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["role_kind"] == kind]
    return sorted({row["role"] for row in rows if f" {row['pattern']} " in words})


def records(demo: BuildResult, relation: str) -> pd.DataFrame:
    """An accepted entity, each row with the account that it counts for; by as_of, without excluded accounts."""
    accounts = frame(demo.database, "intermediate.int_accounts__resolved")
    owner = accounts[~accounts["is_excluded"].astype(bool)].set_index("account_id")["resolved_account_id"]
    rows = frame(demo.database, f"input.input_{relation}")
    if "contact_id" in rows and relation != "contacts":
        contact = frame(demo.database, "input.input_contacts").set_index("contact_id")["account_id"]
        rows["account_id"] = rows["account_id"].fillna(rows["contact_id"].map(contact))
    rows["account_id"] = rows["account_id"].map(owner)
    moment = {"contacts": "created_at", "engagements": "occurred_at", "campaign_members": "added_at"}[relation]
    [until] = frame(demo.database, "intermediate.int_as_of")["ends_at"]
    return rows[rows["account_id"].notna() & ~(rows[moment] >= until)]


@pytest.fixture(scope="module")
def held(demo: BuildResult) -> dict[str, pd.Series]:
    """By dimension: the set of values of each account of which the dimension is known."""
    contacts, engagements, members = (records(demo, name) for name in ("contacts", "engagements", "campaign_members"))
    titled = contacts[contacts["job_title"].notna()].copy()
    result = {}
    for kind in ("function", "seniority"):
        roles = {title: roles_of(title, kind) for title in titled["job_title"].unique()}
        result[kind] = titled["job_title"].map(roles).groupby(titled["account_id"]).agg(lambda lists: set().union(*lists))
    for name in ("engagement_type", "topic"):
        result[name] = engagements.dropna(subset=[name]).groupby("account_id")[name].agg(set)
    channel = frame(demo.database, "input.input_campaigns").set_index("campaign_id")["channel"]
    joined = members.assign(channel=members["campaign_id"].map(channel)).dropna(subset=["channel"])
    result["campaign_channel"] = joined.groupby("account_id")["channel"].agg(set)
    deals = frame(demo.database, "marts.fct_opportunities").assign(preference=2).rename(columns={"opportunity_id": "contact_id"})
    sources = pd.concat([contacts.assign(preference=1), deals]).dropna(subset=["lead_source"])
    sources = sources.sort_values(["created_at", "preference", "contact_id"], na_position="last")
    result["lead_source"] = sources.groupby("account_id")["lead_source"].first().map(lambda value: {value})
    orders = frame(demo.database, "marts.fct_orders").query("order_type != 'credit'")
    months = orders["term_months"].map(lambda term: -1 if term is None else int(term))
    names = ["no term", "below 12 months", "12 to 23 months", "24 to 35 months", "36 months or more"]
    terms = pd.cut(months, [-2, 0, 11, 23, 35, 10_000], labels=names).astype(str)
    result["term"] = terms.groupby(orders["account_id"]).agg(set)
    kinds = {"multi_year": months >= 24, "add_on": orders["has_add_on"], "service": orders["has_service"]}
    kinds["bundle"] = orders["product_bundle"].str.contains(" + ", regex=False)
    bought = pd.DataFrame(kinds).astype(bool).groupby(orders["account_id"]).any()
    result["ever_bought"] = bought.apply(lambda row: set(row.index[row]), axis=1)
    return result


def test_shares_equal_those_of_pandas(demo: BuildResult, held: dict[str, pd.Series]) -> None:
    mart = frame(demo.database, "marts.icp_segment_profiles").set_index(["segment_id", "dimension", "value"]).sort_index()
    segment = frame(demo.database, "marts.dim_accounts").set_index("account_id")["segment_id"]
    seen = set()
    for dimension, values in held.items():
        known = values[values.index.isin(segment.index)]
        for value in sorted(set().union(*known)):
            has = known.map(lambda its, value=value: value in its)
            for name in ["all", *segment.unique()]:
                own = has if name == "all" else has[has.index.map(segment) == name]
                if not own.any() and has.sum() < 30:
                    continue
                row = mart.loc[(name, dimension, value)]
                assert (row["accounts"], row["accounts_with"], row["overall_accounts"]) == (len(own), own.sum(), len(has))
                assert row["share"] == pytest.approx(own.mean())
                interval = proportion_confint(own.sum(), len(own), method="wilson")
                assert (row["share_low"], row["share_high"]) == pytest.approx(interval, abs=1e-12)
                assert row["index_against_all"] == pytest.approx(own.mean() / has.mean())
                seen.add((name, dimension, value))
    shares = mart[mart["aspect"] != "development"]
    assert seen == set(shares.index)
    assert len(seen) > 100


def test_figures_equal_those_of_pandas(demo: BuildResult) -> None:
    mart = frame(demo.database, "marts.icp_segment_profiles").set_index(["segment_id", "dimension"])
    customers, orders = frame(demo.database, "marts.fct_customers"), frame(demo.database, "marts.fct_orders")
    [until] = frame(demo.database, "intermediate.int_as_of")["ends_at"]
    customers["a_year_on"] = customers["first_order_at"].map(
        lambda moment: pd.Timestamp(moment).normalize() + pd.DateOffset(years=1)
    )
    expansion = orders[orders["order_type"] == "expansion"].merge(customers[["account_id", "a_year_on"]], on="account_id")
    count = expansion[expansion["closed_at"] < expansion["a_year_on"]].groupby("account_id").size()
    customers["expansions"] = customers["account_id"].map(count).fillna(0)
    for name in ["all", *customers["segment_id"].unique()]:
        own = customers if name == "all" else customers[customers["segment_id"] == name]
        days, old = own["first_days_to_close"].dropna().astype(float), own[own["a_year_on"] < until]
        due = own[own["renewals_due"] > 0]
        expected = {
            "days_to_close": (len(days), len(days), days.median(), None),
            "first_year_expansion_orders": (len(old), len(old), old["expansions"].mean(), (old["expansions"] > 0).sum()),
            "renewals": (
                len(due),
                due["renewals_due"].sum(),
                due["renewals_made"].sum() / due["renewals_due"].sum(),
                (due["renewals_made"] > 0).sum(),
            ),
        }
        for dimension, (accounts, observations, figure, accounts_with) in expected.items():
            row = mart.loc[(name, dimension)]
            assert (row["accounts"], row["observations"], row["accounts_with"]) == (accounts, observations, accounts_with)
            assert row["figure"] == pytest.approx(figure)
            assert row["index_against_all"] == pytest.approx(figure / mart.loc[("all", dimension), "figure"])
