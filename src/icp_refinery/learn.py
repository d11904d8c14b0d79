"""From the warehouse's relations to the learning functions and back: what the Python models call.

At most `learning_max_rows` pursuits (marked `is_sampled` in SQL, by a hash of the id) are read, with their accounts' traits;
and as many customers.
"""

import hashlib
import json

import duckdb
import numpy as np
import pandas as pd

from icp_refinery.adopt import rule_problems as problems_of_rules
from icp_refinery.backtest import MOST_ACCOUNTS, Adopted, backtest
from icp_refinery.clusters import value_clusters
from icp_refinery.cycles import emerged_attributes, review_cycles
from icp_refinery.effects import attribute_effects
from icp_refinery.measure import COLUMNS as MEASURES
from icp_refinery.measure import measure_segments
from icp_refinery.scorecard import BASE, learn_scorecard, score_calibration, words
from icp_refinery.segments import RULE_COLUMNS, Condition, Learned, expected_value, learn_segments, wilson_interval

OUTCOMES = ["won", "high_value", "multi_year", "add_on", "retained", "expanded"]
# Named, because a frame without rows or with one value only would lose them.
CENTRE_TYPES = {
    "cluster": "int64",
    "cluster_name": "str",
    "feature": "str",
    "transform": "str",
    "unit": "float64",
    "middle": "float64",
    "spread": "float64",
    "centre": "float64",
    "customers": "int64",
    "note": "str",
    "choice": "str",
}
# Sizes are there twice: as a number, in which rules find their own cuts, and in bands that people speak of.
BANDED = {"employee_count": "size_band", "annual_revenue": "revenue_band"}
BEHAVIOURS = {"is_multi_year": "multi_year", "has_add_on": "add_on", "has_service": "services", "is_bundle": "bundle"}


def learned_segments(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    traits: duckdb.DuckDBPyRelation,
    sales: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per segment: its figures, and `rules` as a JSON array of {attribute, operator, value}."""
    frame = _pursuits(session, pursuits, sales)
    learned = learn_segments(frame, wide_traits(session, pursuits, traits))
    rules = {key: rows for key, rows in learned.rules.groupby("segment_id")}
    segments = learned.segments.copy()
    segments["rules"] = [_rules_as_json(rules.get(key)) for key in segments["segment_id"]]
    notes = [*frame.attrs["notes"], *learned.model_notes.itertuples(index=False)]
    segments["notes"] = "; ".join(f"{topic}: {note}" for topic, note in notes)
    return segments


def _pursuits(
    session: duckdb.DuckDBPyConnection, pursuits: duckdb.DuckDBPyRelation, sales: duckdb.DuckDBPyRelation
) -> pd.DataFrame:
    """The sampled pursuits as `learn_segments` takes them, the value of young wins developed to the horizon by chain ladder.

    `attrs["notes"]` says how far.
    """
    frame = _undeveloped(session, pursuits)
    horizon = pursuits.aggregate("max(horizon_months)").fetchall()[0][0] or 1
    history = session.sql("""
        select account_id, months_since_win as month, cast(value as double) as value
        from sales semi join (select account_id from pursuits where is_sampled) as sampled using (account_id)
        order by account_id, month, value
    """).df()
    value, notes = expected_value(frame, history=history, horizon=horizon)
    # What is developed is not developed again.
    age = frame["months_observed"].where(frame["months_observed"].isna(), np.inf)
    frame = frame.assign(value=value, months_observed=age)
    frame.attrs["notes"] = notes
    return frame


def _undeveloped(session: duckdb.DuckDBPyConnection, pursuits: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    query = """
        select account_id, began_at as began_on, closed_at as closed_on, is_won,
            cast(value as double) as value, cast(months_observed as double) as months_observed
        from pursuits where is_sampled order by account_id
    """
    return session.sql(query).df()


def wide_traits(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    traits: duckdb.DuckDBPyRelation,
    *,
    banded: bool = False,
) -> pd.DataFrame:
    """The traits of the sampled accounts: index `account_id`, a column per attribute, text (object) or number (float).

    Sizes are numbers or, if `banded`, the bands of `size_bands`.
    """
    accounts = session.sql("select account_id from pursuits where is_sampled order by account_id").df()["account_id"]
    long = session.sql("""
        select traits.account_id, attribute, value, number
        from traits semi join (select account_id from pursuits where is_sampled) as sampled using (account_id)
        order by traits.account_id, attribute
    """).df()
    is_text = long["value"].notna()
    texts = long[is_text].pivot(index="account_id", columns="attribute", values="value").astype(object)
    numbers = long[~is_text].pivot(index="account_id", columns="attribute", values="number").astype(float)
    wide = texts.join(numbers, how="outer").reindex(accounts)
    wide = wide.astype(object).where(wide.notna(), None).astype({name: float for name in numbers})
    left_out = [number for number, band in BANDED.items() if band in wide] if banded else list(BANDED.values())
    return wide.drop(columns=left_out, errors="ignore")


def _rules_as_json(rules: pd.DataFrame | None) -> str:
    if rules is None:
        return "[]"
    return json.dumps(rules[["attribute", "operator", "value"]].to_dict("records"), ensure_ascii=False)


def learned_attribute_effects(
    session: duckdb.DuckDBPyConnection, pursuits: duckdb.DuckDBPyRelation, traits: duckdb.DuckDBPyRelation
) -> pd.DataFrame:
    """One row per outcome, attribute and value. `pursuits` carry the outcomes and the first order's behaviours."""
    frame = session.sql("select * from pursuits where is_sampled order by account_id").df()
    outcomes = frame[["account_id", "period", *OUTCOMES]].astype({name: float for name in OUTCOMES})
    behaviours = frame.set_index("account_id")[list(BEHAVIOURS)].rename(columns=BEHAVIOURS)
    wide = wide_traits(session, pursuits, traits, banded=True)
    return _typed(attribute_effects(outcomes, wide, behaviours.dropna().astype(bool)))


def rule_problems(seeds: dict[str, duckdb.DuckDBPyRelation], trait_names: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """One row per problem in the seeds that hold rules: its place, `source` and `sentence`."""
    tables = {
        name: [{key: "" if pd.isna(value) else str(value) for key, value in row.items()} for row in seed.df().to_dict("records")]
        for name, seed in seeds.items()
    }
    names = trait_names.df()
    found = problems_of_rules(
        tables,
        {name: seed.columns for name, seed in seeds.items()},
        dict(zip(names["attribute"], names["is_numeric"], strict=True)),
    )
    frame = pd.DataFrame(found, columns=["source", "sentence"], dtype="str")
    return frame.assign(place=range(len(frame))).astype({"place": "int64"})


def segments_in_force(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    sales: duckdb.DuckDBPyRelation,
    placed: duckdb.DuckDBPyRelation,
    versions: duckdb.DuckDBPyRelation,
    conditions: duckdb.DuckDBPyRelation,
    learned: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """The definition in force as `learned_segments` has it, with its tiers and `measured_tier`.

    A learned one is as it was learned; an adopted one (`versions` and `conditions`) has its figures on today's data.
    """
    segments = session.sql("""
        select segment_id, segment_name, definition, tier, icp_version as evidence from versions
        where is_in_force and adoption_number is not null order by segment_id
    """).df()
    if segments.empty:
        return learned.df().drop(columns="notes").assign(measured_tier=lambda frame: frame["tier"])
    own = session.sql("""
        select account_id, segment_id from placed
        semi join (select account_id from pursuits where is_sampled) as sampled using (account_id)
        where is_in_force
    """).df()
    names = list(segments["segment_id"])
    measured = measure_segments(_pursuits(session, pursuits, sales), own.set_index("account_id")["segment_id"], segments=names)
    rules = session.sql("""
        select segment_id, attribute, operator, value from conditions where is_in_force order by segment_id, condition_number
    """).df()
    rules = {key: rows.astype(object).where(rows.notna(), None) for key, rows in rules.groupby("segment_id")}
    segments["rules"] = [_rules_as_json(rules.get(key)) for key in names]
    return segments.merge(measured, on="segment_id", validate="one_to_one")


def assumption_figures(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    sales: duckdb.DuckDBPyRelation,
    members: duckdb.DuckDBPyRelation,
    profiles: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per profile that somebody believes in: its figures beside all pursuits, intervals for all profiles together."""
    names = sorted(profiles.df()["profile"].unique())
    sampled = _pursuits(session, pursuits, sales)
    inside = session.sql("select account_id, profile from members").df()
    measured = [pd.DataFrame({"profile": pd.Series(dtype=object)} | {n: pd.Series(dtype=k) for n, k in MEASURES.items()})]
    for name in names:
        own = sampled["account_id"].isin(inside.loc[inside["profile"] == name, "account_id"]).map({True: "in", False: "out"})
        assignment = pd.Series(own.to_numpy(), index=sampled["account_id"], dtype=object)
        figures = measure_segments(sampled, assignment, segments=["in", "out"], family=len(names))
        measured.append(figures[figures["segment_id"] == "in"].assign(profile=name))
    return pd.concat(measured, ignore_index=True)


def learned_from(segments: pd.DataFrame) -> Learned:
    """What `learned_segments` keeps, read back as `learn_segments` returned it (without its notes)."""
    rules = [
        [row.segment_id, number, rule["attribute"], rule["operator"], rule["value"]]
        for row in segments.itertuples()
        for number, rule in enumerate(json.loads(row.rules), start=1)
    ]
    table = pd.DataFrame(rules, columns=RULE_COLUMNS, dtype=object).astype({"condition_number": "int64"})
    return Learned(segments, table, pd.DataFrame(columns=["topic", "note"]))


def learned_scorecard(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    sales: duckdb.DuckDBPyRelation,
    traits: duckdb.DuckDBPyRelation,
    segments: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per condition: its points, in words, and the pursuits that meet it."""
    learned = learned_from(segments.order("segment_id").df())
    listed, wide = learned.segments, wide_traits(session, pursuits, traits)
    # An adopted segment may have lost its pursuits, and a rule its trait: no evidence, and missing for all.
    if listed["lift"].notna().any():
        listed["lift"] = listed["lift"].fillna(1.0)
    for attribute in set(learned.rules["attribute"]) - set(wide.columns):
        wide[attribute] = pd.Series(None, index=wide.index, dtype=object)
    card = learn_scorecard(_pursuits(session, pursuits, sales), wide, learned)
    names = learned.segments.set_index("segment_id")["segment_name"]
    card["definition"] = [_definition(row, names) for row in card.itertuples()]
    keys = card[["attribute", "operator", "value"]].fillna("")
    card["condition_id"] = [hashlib.md5("|".join(key).encode()).hexdigest() for key in keys.itertuples(index=False)]
    with np.errstate(invalid="ignore"):
        card["win_rate"] = card["wins"] / card["n"].where(card["n"] > 0)
    card["win_rate_low"], card["win_rate_high"] = wilson_interval(card["wins"].to_numpy(), card["n"].to_numpy())
    return _typed(card)


def _definition(row: object, segment_names: pd.Series) -> str:
    if pd.isna(row.attribute):
        return f"everyone ({BASE:.0f} is the overall value per pursuit)"
    if row.attribute == "segment":
        return f"segment {segment_names[row.value]}"
    return words([Condition(row.attribute, row.operator, row.value)])


def learned_score_calibration(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    traits: duckdb.DuckDBPyRelation,
    sales: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per score band: what was predicted before a cut-off, and what happened after it."""
    sold = session.sql("""
        select account_id, sold_at as sold_on, cast(value as double) as amount
        from sales semi join (select account_id from pursuits where is_sampled) as sampled using (account_id)
        order by account_id, sold_at, amount
    """).df()
    return _typed(score_calibration(_undeveloped(session, pursuits), wide_traits(session, pursuits, traits), sold))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Doubles to 12 digits, and texts as texts also where all are missing."""
    for name in frame:
        if frame[name].dtype == "float64":
            frame[name] = [float(f"{x:.12g}") for x in frame[name]]
        elif frame[name].dtype == object:
            frame[name] = frame[name].astype("string")
    return frame


def learned_value_clusters(session: duckdb.DuckDBPyConnection, customers: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """One row per cluster and feature, as `value_clusters` has them; `choice`: every number of clusters tried, a JSON array."""
    frame = session.sql("select * from customers where is_sampled order by account_id").df()
    learned = value_clusters(frame)
    # Through Python's own types: JSON knows no NaN.
    choice = learned.choice.astype(object).where(learned.choice.notna(), None)
    return learned.centres.assign(choice=json.dumps(choice.to_dict("records"))).astype(CENTRE_TYPES)


def learned_backtest(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    traits: duckdb.DuckDBPyRelation,
    sales: duckdb.DuckDBPyRelation,
    spend: duckdb.DuckDBPyRelation,
    orders: duckdb.DuckDBPyRelation,
    as_of: duckdb.DuckDBPyRelation,
    placed: duckdb.DuckDBPyRelation,
    versions: duckdb.DuckDBPyRelation,
    segments: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per cut-off, scorer, measure and share, as `backtest` has them.

    `MOST_ACCOUNTS` pursuits and as many accounts without one are read, chosen by a hash of the id. Spend is what was spent until
    the month of an account's first order, scaled up from the sample; accounts that have orders and no pursuit are left out.
    Where a definition is adopted (`placed`, `versions`, `segments`), it is tried with its figures as recorded at adoption.
    """
    paid = """
        select spend.account_id, spend_month, cast(sum(spend.amount) as double) as amount
        from spend
        left join pursuits on spend.account_id = pursuits.account_id
        left join orders on spend.account_id = orders.account_id and order_number = 1
        where spend.account_id is not null
            and (orders.account_id is null or pursuits.account_id is not null and spend_month <= orders.closed_at)
        group by spend.account_id, spend_month
    """
    numbered = session.sql(f"""
        with accounts as (
            select account_id, true as is_pursued from pursuits
            union all
            select distinct account_id, false from ({paid}) anti join pursuits using (account_id)
        ), numbered as (
            select *,
                row_number() over (partition by is_pursued order by md5(account_id), account_id) as number,
                count(*) over (partition by is_pursued) as total
            from accounts
        )
        select account_id, true as is_sampled, greatest(total / {MOST_ACCOUNTS}, 1) as weight
        from numbered where number <= {MOST_ACCOUNTS}
    """)
    chosen = session.from_df(numbered.df())
    frame = session.sql("""
        select account_id, began_at as began_on, closed_at as closed_on, is_won, cast(value as double) as value
        from pursuits semi join chosen using (account_id) order by account_id
    """).df()
    sold = session.sql("""
        select account_id, sold_at as sold_on, cast(value as double) as value
        from sales semi join chosen using (account_id) order by account_id, sold_at, value
    """).df()
    spent = session.sql(f"""
        select account_id, spend_month, amount * weight as amount
        from ({paid}) join chosen using (account_id) order by account_id, spend_month
    """).df()
    last_day = pd.Timestamp(as_of.df()["as_of"].iloc[0])
    learned_as_of = session.sql("select learned_as_of from versions where is_in_force and adoption_number is not null").fetchall()
    adopted = None
    if learned_as_of:
        own = session.sql("""
            select placed.account_id, segments.value_per_pursuit
            from placed join segments using (icp_version, segment_id) semi join chosen using (account_id)
            where segments.is_in_force order by placed.account_id
        """).df()
        adopted = Adopted(own.set_index("account_id")["value_per_pursuit"], pd.Timestamp(learned_as_of[0][0]))
    return backtest(frame, wide_traits(session, chosen, traits), sold, spent, as_of=last_day, adopted=adopted)


def learned_emerging_attributes(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    cycles: duckdb.DuckDBPyRelation,
    traits: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per cycle of the last year and attribute's value that emerged or faded. `pursuits`: int_pursuits__by_cycle."""
    wide = wide_traits(session, pursuits, traits, banded=True)
    return _typed(emerged_attributes(_closed(session, pursuits), _cycles(cycles), wide))


def learned_cycle_review(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    cycles: duckdb.DuckDBPyRelation,
    versions: duckdb.DuckDBPyRelation,
    segments: duckdb.DuckDBPyRelation,
    traits: duckdb.DuckDBPyRelation,
    attributes: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per judged cycle and segment in force (and `all`)."""
    tiers = session.sql("select segment_id, tier from segments where is_in_force order by segment_id").df()
    adopted = session.sql("select learned_as_of from versions where is_in_force and adoption_number is not null").fetchall()
    reviewed = review_cycles(
        _closed(session, pursuits),
        _cycles(cycles),
        tiers.set_index("segment_id")["tier"],
        wide_traits(session, pursuits, traits, banded=True),
        attributes.df(),
        pd.Timestamp(adopted[0][0]) if adopted else None,
    )
    return _typed(reviewed)


def _closed(session: duckdb.DuckDBPyConnection, pursuits: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    query = """
        select account_id, segment_id, cast(cycle_start as timestamp) as cycle_start, closed_at as closed_on, is_won,
            cast(first_order_value as double) as first_order_value, cast(days_to_close as double) as days_to_close
        from pursuits where is_sampled order by account_id
    """
    return session.sql(query).df()


def _cycles(cycles: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    frame = cycles.select("cycle_start, cycle_end, is_finished").df()
    return frame.assign(cycle_start=pd.to_datetime(frame["cycle_start"]), cycle_end=pd.to_datetime(frame["cycle_end"]))
