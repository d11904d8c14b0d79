"""The alignment marts, each against an independent computation in pandas, on the demo company."""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.proportion import proportion_confint

from conftest import LENGTHY, BuildResult, build, copy_project
from icp_refinery.adopt import adopt, read_adopted, write_adopted

pytestmark = pytest.mark.slow
STAGES = ["lead", "mql", "sql", "opportunity", "won"]


def computed_once(compute: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """The same for every test that asks it of a database, each with a frame of its own."""
    cached = functools.cache(compute)
    return lambda *asked: cached(*asked).copy()


@computed_once
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


@computed_once
def entries(database: Path) -> pd.DataFrame:
    """Stage, account, entry and next entry, from the contacts, opportunities and orders alone."""
    end = as_of(database) + pd.Timedelta(days=1)
    accounts = read(database, "intermediate.int_accounts__resolved").set_index("account_id")
    contacts = read(database, "input.input_contacts")
    contacts = contacts[~contacts["account_id"].map(accounts["is_excluded"]).fillna(False).astype(bool)]
    contacts["account_id"] = contacts["account_id"].map(accounts["resolved_account_id"])
    orders = read(database, "marts.fct_orders")
    deals = read(database, "marts.fct_opportunities")
    first_order_at = deals["account_id"].map(orders.query("order_type != 'credit'").groupby("account_id")["closed_at"].min())
    is_untyped = deals["opportunity_type"].isna() & ~(first_order_at < deals["created_at"])
    deals = deals[is_untyped | deals["opportunity_type"].eq("new_business")]

    rows = []
    for contact in contacts.itertuples():
        dates = [contact.became_lead_at, contact.became_mql_at, contact.became_sql_at]
        dates = [date if pd.notna(date) and date < end else pd.NaT for date in dates]
        theirs = deals[deals["account_id"] == contact.account_id]["created_at"]
        for place, entered in enumerate(dates):
            if pd.isna(entered):
                continue
            later = [other for other in dates[place + 1 :] if pd.notna(other) and other.normalize() >= entered.normalize()]
            if place == 2:
                later = [other for other in theirs if other.normalize() >= entered.normalize()]
            rows.append((STAGES[place], contact.account_id, entered, min(later) if later else pd.NaT, None, np.nan, np.nan))
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
    segments = read(database, "applied.int_accounts__segments").set_index("account_id")["segment_id"]
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
        said |= {"open_count": len(rows) - closed, "closed_count": closed, "won_count": won, "pipeline_win_rate": won / closed}
        said["pipeline_win_rate_low"], said["pipeline_win_rate_high"] = proportion_confint(won, closed, method="wilson")
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
    assert set(pd.to_datetime(found.pop("as_of"))) == {as_of(demo.database)}
    expected = pd.DataFrame(rows)
    assert set(expected["stage"]) == set(STAGES)
    assert set(expected.columns) == set(found.columns)
    assert_equal(found, expected, ["tier", "segment_id", "stage"])


def month(moments: pd.Series) -> pd.Series:
    return pd.to_datetime(moments).dt.to_period("M").dt.start_time


@computed_once
def allocated(database: Path) -> pd.DataFrame:
    """Spend by campaign, account, channel, tier and month, in equal shares: to the cent only in sum."""
    end = as_of(database) + pd.Timedelta(days=1)
    accounts = read(database, "intermediate.int_accounts__resolved").set_index("account_id")
    rates = read(database, "input.input_exchange_rates").sort_values("valid_from")
    spend = read(database, "input.input_campaign_spend")
    spend = spend[spend["spent_on"] < end].sort_values("spent_on")
    spend["spent_on"], rates["valid_from"] = (each.astype("datetime64[us]") for each in (spend["spent_on"], rates["valid_from"]))
    spend = pd.merge_asof(spend, rates, left_on="spent_on", right_on="valid_from", by="currency_code")
    spend["amount"] *= spend["rate"].where(spend["currency_code"] != "USD").fillna(1)
    contacts = read(database, "input.input_contacts").set_index("contact_id")["account_id"]
    members = read(database, "input.input_campaign_members")
    members = members[members["added_at"] < end]
    members["account_id"] = members["account_id"].fillna(members["contact_id"].map(contacts))
    members = members[~members["account_id"].map(accounts["is_excluded"]).fillna(True).astype(bool)]
    members["account_id"] = members["account_id"].map(accounts["resolved_account_id"])
    members = members.groupby(["campaign_id", "account_id"], as_index=False)["added_at"].min()
    members["share"] = 1 / members.groupby("campaign_id")["account_id"].transform("size")
    shared = spend.merge(members, on="campaign_id", how="left")
    shared["amount"] *= shared["share"].fillna(1)
    tiers = read(database, "applied.int_accounts__segments").set_index("account_id")["tier"]
    channels = read(database, "input.input_campaigns").set_index("campaign_id")["channel"]
    shared["tier"] = shared["account_id"].map(tiers).fillna("unassigned")
    shared["channel"] = shared["campaign_id"].map(channels).fillna("unknown")
    shared["cycle_start"] = month(shared["spent_on"])
    return shared


@computed_once
def lifespans(database: Path) -> pd.DataFrame:
    """Accounts, since when they exist, and since when they are customers."""
    accounts = read(database, "marts.dim_accounts").set_index("account_id")
    resolved = read(database, "intermediate.int_accounts__resolved").set_index("account_id")["resolved_account_id"]
    engagements = read(database, "input.input_engagements")
    engaged = engagements.groupby(engagements["account_id"].map(resolved))["occurred_at"].min()
    opened = read(database, "marts.fct_opportunities").groupby("account_id")["created_at"].min()
    ordered = read(database, "marts.fct_orders").groupby("account_id")["closed_at"].min()
    became = entries(database).groupby("account_id")["entered_at"].min()
    targeted = first_memberships(database).groupby("account_id")["min"].min()
    firsts = pd.concat([accounts["created_at"], engaged, opened, ordered, became, targeted], axis=1).min(axis=1)
    accounts["exists_from"] = firsts.where(accounts["created_at"].notna(), pd.Timestamp("1900-01-01"))
    accounts["customer_from"] = ordered
    return accounts[["exists_from", "customer_from"]]


def cycle_starts(database: Path) -> list[pd.Timestamp]:
    return read(database, "intermediate.int_cycles")["cycle_start"].map(pd.Timestamp).sort_values().tolist()


ADOPTED = (dt.date(2024, 7, 15), dt.date(2025, 2, 1))
OVERRIDDEN = {"1": "deprioritized", "2": "tier_2"}


@pytest.fixture(scope="module")
def adopted(demo: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The demo company with two adoptions in its past, each with the tier of tier 3 overridden in another way."""
    folder = tmp_path_factory.mktemp("adopted")
    project = copy_project(folder / "project")
    seeds = project / "seeds" / "adopted"
    for day in ADOPTED:
        adopt(demo.database, seeds, "Ana", "Ben", "A reason", day)
    files = read_adopted(seeds)
    for row in files.adopted_segments:
        if row["tier"] == "tier_3":
            row |= {"tier_override": OVERRIDDEN[row["adoption_number"]], "override_reason": "Another reason"}
    write_adopted(seeds, files)
    database = Path(shutil.copy(demo.database, folder / "icp.duckdb"))
    select = """path:seeds/adopted rule_problems checked_adoptions int_icp_versions int_icp_versions__segments
        int_segment_conditions int_accounts__segments_by_version int_cycles__versions int_cycles__prospects
        int_cycles__accounts_by_tier int_stage_entries__by_cycle int_cycles__qualified_by_tier
        int_accounts__campaign_spend_by_cycle icp_alignment icp_agreement icp_spend"""
    return build(folder / "build", project=project, database=database, select=select, unit_tests=False)


@pytest.fixture(params=["demo", "adopted"])
def company(request: pytest.FixtureRequest) -> BuildResult:
    return request.getfixturevalue(request.param)


def in_force(database: Path, start: pd.Timestamp) -> str:
    """The version of the ICP at the end of a month."""
    is_adopted = (read(database, "applied.int_icp_versions")["icp_version"] != "learned").any()
    number = sum(pd.Timestamp(day) < start + pd.offsets.MonthBegin(1) for day in ADOPTED) if is_adopted else 0
    return f"adopted {number}" if number else "learned"


def tiers_then(database: Path, rows: pd.DataFrame) -> pd.Series:
    """The tier that each row's account had in the row's cycle."""
    placed = read(database, "applied.int_accounts__segments_by_version")
    placed = placed.set_index(["account_id", "icp_version"])["tier"].to_dict()
    versions = {start: in_force(database, start) for start in rows["cycle_start"].unique()}
    keys = zip(rows["account_id"], rows["cycle_start"].map(versions), strict=True)
    return pd.Series([placed.get(key, "unassigned") for key in keys], index=rows.index)


def test_alignment(company: BuildResult) -> None:
    database = company.database
    made, accounts, spend = entries(database), lifespans(database), allocated(database)
    made["cycle_start"] = month(made["entered_at"])
    made["tier"], spend["tier"] = tiers_then(database, made), tiers_then(database, spend)
    won = made[made["stage"] == "won"]
    sqls = made[(made["stage"] == "sql") & (made["age"] >= 180)].reset_index(drop=True)
    gaps = sqls.reset_index().merge(won[["account_id", "entered_at"]], on="account_id", suffixes=("", "_won"))
    sqls["is_won"] = sqls.index.isin(gaps[days(gaps["entered_at"], gaps["entered_at_won"]).between(0, 180)]["index"])
    rows = []
    for start in cycle_starts(database):
        there = accounts[accounts["exists_from"] < start + pd.offsets.MonthBegin(1)].reset_index()
        there["tier"] = tiers_then(database, there.assign(cycle_start=start))
        version = in_force(database, start)
        now, paid, judged = (
            each[each["cycle_start"] == start] for each in (made, spend, sqls.assign(cycle_start=month(sqls["entered_at"])))
        )
        for tier in [*there["tier"].unique(), "unassigned"]:
            row = {"cycle_start": start, "tier": tier, "icp_version": version}
            for name, inside, total in [
                ("account", there["tier"] == tier, len(there)),
                *((stage, (now["stage"] == stage) & (now["tier"] == tier), (now["stage"] == stage).sum()) for stage in STAGES),
            ]:
                name = "win" if name == "won" else name
                row |= {
                    f"{name}_count": inside.sum(),
                    f"{name}_total": total,
                    f"{name}_share": inside.sum() / total if total else np.nan,
                }
            wins = now[now["stage"] == "won"]
            value, value_total = wins[wins["tier"] == tier]["deal_size"].sum(), wins["deal_size"].sum()
            row |= {"won_value": value, "won_value_share": value / value_total if value_total else np.nan}
            row |= {"spend_total": paid["amount"].sum()}
            theirs = judged[judged["tier"] == tier]
            row |= {"matured_sql_count": len(theirs), "won_sql_count": theirs["is_won"].sum()}
            row |= {"qualification_accuracy": theirs["is_won"].mean()}
            low, high = (
                proportion_confint(theirs["is_won"].sum(), len(theirs), method="wilson") if len(theirs) else (np.nan, np.nan)
            )
            row |= {"qualification_accuracy_low": low, "qualification_accuracy_high": high}
            rows.append(row)
    found = read(database, "marts.icp_alignment")
    expected = pd.DataFrame(rows)
    # Conversion keeps four decimals.
    assert_equal(found, expected.drop(columns="spend_total"), ["cycle_start", "tier"])
    totals = found.groupby("cycle_start")["spend_total"].first()
    np.testing.assert_allclose(totals, expected.groupby("cycle_start")["spend_total"].first(), atol=0.001)
    # Equal shares, but for a cent per campaign and account.
    shares = spend.groupby(["cycle_start", "tier"])["amount"].agg(["sum", "size"])
    joined = found.set_index(["cycle_start", "tier"])["spend"].reindex(shares.index)
    assert ((joined - shares["sum"]).abs() <= 0.01 * shares["size"]).all()
    assert abs(found["spend"].sum() - spend["amount"].sum()) < 0.01
    assert shares["sum"].loc[:, "unassigned"].sum() > 0


def test_agreement(company: BuildResult) -> None:
    database = company.database
    accounts, spend, made = lifespans(database), allocated(database), entries(database)
    members = spend[spend["account_id"].notna()]
    paid = members[month(members["added_at"]) <= members["cycle_start"]][["account_id", "cycle_start"]]
    added = read(database, "input.input_campaign_members").merge(
        read(database, "input.input_contacts")[["contact_id", "account_id"]],
        on="contact_id",
        how="left",
        suffixes=("", "_of_contact"),
    )
    resolved = read(database, "intermediate.int_accounts__resolved").set_index("account_id")["resolved_account_id"]
    added["account_id"] = added["account_id"].fillna(added["account_id_of_contact"]).map(resolved)
    first = added.groupby(["campaign_id", "account_id"], as_index=False)["added_at"].min()
    targeted = pd.concat([paid, pd.DataFrame({"account_id": first["account_id"], "cycle_start": month(first["added_at"])})])
    opened = made[made["stage"] == "opportunity"]
    rows = []
    for start in cycle_starts(database):
        end = start + pd.offsets.MonthBegin(1)
        prospects = accounts[(accounts["exists_from"] < end) & ~(accounts["customer_from"] < start)]
        tiers = tiers_then(database, prospects.reset_index().assign(cycle_start=start))
        sides = {
            "marketing": prospects.index.isin(targeted[targeted["cycle_start"] == start]["account_id"]),
            "sales": prospects.index.isin(opened[month(opened["entered_at"]) == start]["account_id"]),
            "icp": tiers.isin(["tier_1", "tier_2"]).to_numpy(),
        }
        for pair in ("marketing_sales", "marketing_icp", "sales_icp"):
            left, right = (sides[name] for name in pair.split("_"))
            varies = 0 < left.sum() < len(left) and 0 < right.sum() < len(right)
            either = (left | right).sum()
            row = {"cycle_start": start, "pair": pair, "prospect_count": len(prospects), "first_count": left.sum()}
            row |= {"second_count": right.sum(), "both_count": (left & right).sum(), "either_count": either}
            row |= {"agreement": (left == right).mean(), "kappa": cohen_kappa_score(left, right) if varies else np.nan}
            row |= {"overlap": (left & right).sum() / either if either else np.nan}
            row["agreement_low"], row["agreement_high"] = proportion_confint((left == right).sum(), len(left), method="wilson")
            rows.append(row)
    expected = pd.DataFrame(rows)
    assert expected["kappa"].notna().sum() > 90
    assert expected["kappa"].isna().any()
    assert_equal(read(database, "marts.icp_agreement"), expected, ["cycle_start", "pair"])


@computed_once
def first_memberships(database: Path) -> pd.DataFrame:
    """Campaign, account, and when the account was first and last added to it by as_of."""
    resolved = read(database, "intermediate.int_accounts__resolved").set_index("account_id")["resolved_account_id"]
    contacts = read(database, "input.input_contacts").set_index("contact_id")["account_id"]
    added = read(database, "input.input_campaign_members")
    added = added[added["added_at"] < as_of(database) + pd.Timedelta(days=1)]
    added["account_id"] = added["account_id"].fillna(added["contact_id"].map(contacts)).map(resolved)
    return added.groupby(["campaign_id", "account_id"], as_index=False)["added_at"].agg(["min", "max"])


def test_disagreements(demo: BuildResult) -> None:
    database = demo.database
    end = as_of(database)
    since = end.replace(day=1) - pd.DateOffset(months=2)
    accounts = read(database, "marts.dim_accounts").set_index("account_id")
    deals = entries(database).query("stage == 'opportunity'")
    spend = allocated(database)
    spend = spend[spend["spent_on"] >= since].groupby("account_id")["amount"].sum().reindex(accounts.index).fillna(0)
    added = first_memberships(database).groupby("account_id")["max"].max().reindex(accounts.index)
    is_targeted = (added >= since) | (spend > 0)
    is_worked = accounts.index.isin(deals[~deals["is_closed"].astype(bool) | (deals["entered_at"] >= since)]["account_id"])
    reason = pd.Series("nobody", accounts.index)
    reason[is_targeted] = "only_marketing"
    reason[is_worked] = "only_sales"
    reason[(is_targeted & is_worked) | accounts["is_customer"] | ~accounts["tier"].isin(["tier_1", "tier_2"])] = None
    reason[(accounts["tier"] == "deprioritized") & (spend > 0)] = "deprioritized_costs_money"
    value = accounts["segment_id"].map(read(database, "marts.icp_segments").set_index("segment_id")["value_per_pursuit"])
    stake = value.where(accounts["tier"] != "deprioritized", spend)
    found = read(database, "marts.icp_disagreements").set_index("account_id")
    assert found["reason"].nunique() == 4
    assert found["reason"].to_dict() == reason.dropna().to_dict()
    # Cents that are left over go to the first accounts.
    assert (found["at_stake"] - stake[found.index]).abs().max() < 0.2
    assert (found["spend"] - spend[found.index]).abs().max() < 0.2
    fit = accounts["fit_score"].where(accounts["tier"] != "deprioritized", -accounts["fit_score"])[found.index]
    order = found.assign(fit=fit).reset_index()
    order = order.sort_values(["at_stake", "fit", "spend", "account_id"], ascending=[False, False, False, True])
    assert order["place"].tolist() == list(range(1, len(order) + 1))


def test_spend(company: BuildResult) -> None:
    database = company.database
    made, spend = entries(database), allocated(database)
    spend["tier"] = tiers_then(database, spend)
    memberships = first_memberships(database).sort_values(["min", "campaign_id"], ascending=[True, False])
    memberships["channel"] = memberships["campaign_id"].map(
        read(database, "input.input_campaigns").set_index("campaign_id")["channel"]
    )
    results = made[made["stage"].isin(["opportunity", "won"])].reset_index(drop=True)
    won = results["stage"] == "won"
    opened = results[~won & results["next_at"].notna()].set_index(["account_id", "next_at"])["entered_at"]
    results["opened_at"] = [
        opened.get((row.account_id, row.entered_at), row.entered_at) if row.stage == "won" else row.entered_at
        for row in results.itertuples()
    ]
    results["channel"] = [
        next(iter(theirs["channel"][::-1]), "none")
        for row in results.itertuples()
        for theirs in [memberships[(memberships["account_id"] == row.account_id) & (memberships["min"] <= row.opened_at)]]
    ]
    results["cycle_start"] = month(results["entered_at"])
    results["tier"] = tiers_then(database, results)
    key = ["cycle_start", "tier", "channel"]
    expected = pd.concat(
        [
            spend.groupby(key)["account_id"].nunique().rename("account_count"),
            spend.groupby(key)["amount"].agg(["sum", "size"]),
            results[~won].groupby(key).size().rename("opportunity_count"),
            results[won].groupby(key).size().rename("win_count"),
        ],
        axis=1,
    ).fillna(0)
    found = read(database, "marts.icp_spend").set_index(key).sort_index()
    expected = expected.sort_index()
    pd.testing.assert_index_equal(found.index, expected.index)
    for name in ("account_count", "opportunity_count", "win_count"):
        assert (found[name] == expected[name]).all(), name
    assert ((found["spend"] - expected["sum"]).abs() <= 0.01 * expected["size"] + 0.001).all()
    assert abs(found["spend"].sum() - spend["amount"].sum()) < 0.01
    np.testing.assert_allclose(found["spend_share"], found["spend"] / found.groupby("cycle_start")["spend"].transform("sum"))
    assert found["cost_per_win"].dropna().tolist() == (found["spend"] / found["win_count"])[found["win_count"] > 0].tolist()
    # The planted spend-eater is small media companies on paid social.
    share = found["spend"].groupby("tier").sum() / found["spend"].sum()
    assert share["deprioritized"] > 0.5


def test_spend_saving(demo: BuildResult) -> None:
    database = demo.database
    end = as_of(database)
    accounts, spend = lifespans(database), allocated(database)
    pursued = set(read(database, "intermediate.int_pursuits")["account_id"])
    first_order = spend["account_id"].map(accounts["customer_from"])
    counts = spend["account_id"].notna() & (
        first_order.isna() | (spend["account_id"].isin(pursued) & (first_order >= month(spend["spent_on"])))
    )
    recent = month(spend["spent_on"]) > month(pd.Series([end]))[0] - pd.DateOffset(months=12)
    yearly = spend.loc[counts & recent, "amount"].sum()
    shares = read(database, "marts.icp_backtest").query("cutoff == 'all' and scorer == 'segments'")
    shares = shares.set_index(["measure", "share"])[["value", "low", "high"]]
    found = read(database, "marts.icp_spend_saving").set_index("what_if")
    for what_if, key in {
        "skip_deprioritized": ("deprioritized_spend", 1.0),
        "keep_95": ("spend_skippable", 0.95),
        "keep_90": ("spend_skippable", 0.9),
    }.items():
        row = found.loc[what_if]
        assert row[["saved_share", "saved_share_low", "saved_share_high"]].tolist() == shares.loc[key].tolist()
        savings = row[["yearly_saving", "yearly_saving_low", "yearly_saving_high"]].astype(float)
        # A cent may go to another account of a campaign.
        assert row["yearly_spend"] == pytest.approx(yearly, abs=10)
        np.testing.assert_allclose(savings, shares.loc[key] * row["yearly_spend"], atol=0.001)
    assert found.loc["keep_90", "value_kept_share"] == 0.9
    # The planted spend-eater: much is spent on it, and it brings little.
    skipped = found.loc["skip_deprioritized"]
    lost = shares.loc[("deprioritized_value", 1.0)]
    kept = skipped[["value_kept_share", "value_kept_share_high", "value_kept_share_low"]].astype(float)
    np.testing.assert_allclose(kept, 1 - lost)
    assert skipped["saved_share_low"] > 1 - skipped["value_kept_share_low"]


def test_what_sales_qualifies_before_and_after_adoption(adopted: BuildResult) -> None:
    found = read(adopted.database, "marts.icp_alignment")
    by_cycle = found.drop_duplicates("cycle_start").set_index("cycle_start")["is_after_adoption"]
    assert by_cycle[by_cycle.index < "2024-07-01"].eq(False).all()
    assert by_cycle[by_cycle.isna()].index.tolist() == [pd.Timestamp("2024-07-01")]
    assert by_cycle[by_cycle.index > "2024-07-01"].eq(True).all()
    judged = found.dropna(subset="is_after_adoption").groupby("is_after_adoption")["matured_sql_count"].sum()
    assert (judged > 0).all()


def test_nothing_is_missing_in_the_demo_company(demo: BuildResult) -> None:
    assert read(demo.database, "marts.icp_missing_inputs").empty


STARTS = {
    "week": lambda day: day - pd.Timedelta(days=day.day_of_week),
    "biweek": lambda day: pd.Timestamp("2000-01-03") + pd.Timedelta(days=(day - pd.Timestamp("2000-01-03")).days // 14 * 14),
    "quarter": lambda day: day.to_period("Q").start_time,
}
LENGTHS = {"week": pd.DateOffset(days=7), "biweek": pd.DateOffset(days=14), "quarter": pd.DateOffset(months=3)}


@pytest.mark.parametrize("cycle", STARTS)
def test_every_reporting_cycle_builds_and_counts_the_same_records(cycle: str, demo: BuildResult, tmp_path: Path) -> None:
    shutil.copy(demo.database, tmp_path / "icp.duckdb")
    select = "int_cycles+ int_accounts__campaign_spend+ icp_agreement icp_spend"
    built = build(
        tmp_path, vars={"reporting_cycle": cycle}, select=select, exclude=" ".join(LENGTHY), unit_tests=False, data_tests=False
    )
    cycles = read(built.database, "intermediate.int_cycles").sort_values("cycle_start")
    starts = [pd.Timestamp(each) for each in cycles["cycle_start"]]
    first = pd.Timestamp(entries(demo.database)["entered_at"].min()).normalize()
    assert starts[0] == STARTS[cycle](first)
    assert starts[-1] == STARTS[cycle](as_of(built.database))
    assert all(later == start + LENGTHS[cycle] for start, later in itertools.pairwise(starts))
    ends = [pd.Timestamp(end) + pd.Timedelta(days=1) for end in cycles["cycle_end"]]
    assert ends == [start + LENGTHS[cycle] for start in starts]
    assert cycles["is_finished"].tolist() == [end <= as_of(built.database) + pd.Timedelta(days=1) for end in ends]
    added_up = """(
        select tier, sum(lead_count) as leads, sum(win_count) as wins, sum(won_value) as won_value, sum(spend_total) as spend
        from marts.icp_alignment group by tier
    )"""
    assert_equal(read(built.database, added_up), read(demo.database, added_up), ["tier"])


SMALL = {
    "one month of orders": (
        {"orders": "order_id,account_id,order_status,closed_at\n1,A1,closed_won,2024-02-01\n2,A2,closed_won,2024-02-29\n"},
        {"icp_funnel": 3, "icp_alignment": 2, "icp_agreement": 0, "icp_disagreements": 0, "icp_spend": 0, "icp_spend_saving": 0},
        {
            "icp_funnel",
            "icp_alignment",
            "icp_agreement",
            "icp_cycle_review",
            "icp_disagreements",
            "icp_spend",
            "icp_spend_saving",
        },
    ),
    "leads and an open opportunity": (
        {
            "opportunities": "opportunity_id,account_id,is_closed,is_won,created_at\n1,A1,false,false,2023-12-31\n",
            "contacts": "contact_id,account_id,became_lead_at\nC1,A1,2023-12-31\nC2,,2024-01-01\n",
            "engagements": "engagement_id,account_id,engagement_type,occurred_at\nE1,A1,demo,2024-01-01\n",
        },
        {"icp_alignment": 4, "icp_agreement": 2, "icp_disagreements": 0, "icp_spend": 0, "icp_spend_saving": 0},
        {"icp_funnel", "icp_alignment", "icp_agreement", "icp_disagreements", "icp_spend", "icp_spend_saving"},
    ),
}


@pytest.mark.parametrize("world", SMALL)
def test_what_the_input_lacks_is_said_and_the_build_passes(world: str, tmp_path: Path) -> None:
    files, rows, lacking = SMALL[world]
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "accounts.csv").write_text("account_id,industry\nA1,x\nA2,y\nA3,x\n")
    for entity, text in files.items():
        (folder / f"{entity}.csv").write_text(text)
    result = build(tmp_path / "build", folder, unit_tests=False, backtests=True, exclude="expectation_results+")
    assert {mart: len(read(result.database, f"marts.{mart}")) for mart in rows} == rows
    missing = read(result.database, "marts.icp_missing_inputs")
    assert set(missing["mart"]) == lacking | {"sync_hubspot_companies"}
    assert all(reason in result.stdout for reason in missing["reason"])
