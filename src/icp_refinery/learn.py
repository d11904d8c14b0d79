"""From the warehouse's relations to the learning functions and back: what the Python models call.

At most `learning_max_rows` pursuits (marked `is_sampled` in SQL, by a hash of the id) are read, with their accounts' traits.
"""

import json

import duckdb
import pandas as pd

from icp_refinery.adopt import rule_problems as problems_of_rules
from icp_refinery.effects import attribute_effects
from icp_refinery.measure import COLUMNS as MEASURES
from icp_refinery.measure import measure_segments
from icp_refinery.segments import learn_segments

OUTCOMES = ["won", "high_value", "multi_year", "add_on", "retained", "expanded"]
BEHAVIOURS = {"is_multi_year": "multi_year", "has_add_on": "add_on", "has_service": "services", "is_bundle": "bundle"}


def learned_segments(
    session: duckdb.DuckDBPyConnection, pursuits: duckdb.DuckDBPyRelation, traits: duckdb.DuckDBPyRelation
) -> pd.DataFrame:
    """One row per segment: its figures, and `rules` as a JSON array of {attribute, operator, value}."""
    frame = _pursuits(session, pursuits)
    learned = learn_segments(frame, wide_traits(session, pursuits, traits))
    rules = {key: rows for key, rows in learned.rules.groupby("segment_id")}
    segments = learned.segments.copy()
    segments["rules"] = [_rules_as_json(rules.get(key)) for key in segments["segment_id"]]
    segments["notes"] = "; ".join(f"{row.topic}: {row.note}" for row in learned.model_notes.itertuples())
    return segments


def _pursuits(session: duckdb.DuckDBPyConnection, pursuits: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    query = """
        select account_id, began_at as began_on, closed_at as closed_on, is_won,
            cast(value as double) as value, cast(months_observed as double) as months_observed
        from pursuits where is_sampled order by account_id
    """
    return session.sql(query).df()


def wide_traits(
    session: duckdb.DuckDBPyConnection, pursuits: duckdb.DuckDBPyRelation, traits: duckdb.DuckDBPyRelation
) -> pd.DataFrame:
    """The traits of the sampled accounts: index `account_id`, a column per attribute, text (object) or number (float)."""
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
    return wide.astype(object).where(wide.notna(), None).astype({name: float for name in numbers})


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
    return attribute_effects(outcomes, wide_traits(session, pursuits, traits), behaviours.dropna().astype(bool))


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
    frame = pd.DataFrame(found, columns=["source", "sentence"], dtype=object)
    return frame.assign(place=range(len(frame))).astype({"place": "int64"})


def adopted_figures(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    placed: duckdb.DuckDBPyRelation,
    segments: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per segment of the adopted definition in force: its figures on today's data. Without one, no row."""
    names = session.sql("select segment_id from segments where is_in_force and adoption_number is not null").df()["segment_id"]
    if names.empty:
        return _empty(MEASURES)
    own = session.sql("""
        select account_id, segment_id from placed
        semi join (select account_id from pursuits where is_sampled) as sampled using (account_id)
        where is_in_force
    """).df()
    return measure_segments(_pursuits(session, pursuits), own.set_index("account_id")["segment_id"], segments=list(names))


def assumption_figures(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    members: duckdb.DuckDBPyRelation,
    profiles: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per profile that somebody believes in: its figures beside all pursuits, intervals for all profiles together."""
    names = sorted(profiles.df()["profile"].unique())
    sampled = _pursuits(session, pursuits)
    inside = session.sql("select account_id, profile from members").df()
    rows = []
    for name in names:
        own = sampled["account_id"].isin(inside.loc[inside["profile"] == name, "account_id"]).map({True: "in", False: "out"})
        assignment = pd.Series(own.to_numpy(), index=sampled["account_id"], dtype=object)
        measured = measure_segments(sampled, assignment, segments=["in", "out"], family=len(names))
        rows.append(measured[measured["segment_id"] == "in"].assign(profile=name))
    if not rows:
        return _empty({"profile": "object"} | MEASURES)
    return pd.concat(rows, ignore_index=True)


def _empty(columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
