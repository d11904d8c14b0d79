"""From the warehouse's relations to the learning functions and back: what the Python models call.

At most `learning_max_rows` pursuits (marked `is_sampled` in SQL, by a hash of the id) are read, with their accounts' traits;
and as many customers.
"""

import json

import duckdb
import pandas as pd

from icp_refinery.clusters import value_clusters
from icp_refinery.effects import attribute_effects
from icp_refinery.segments import learn_segments

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


def learned_value_clusters(session: duckdb.DuckDBPyConnection, customers: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """One row per cluster and feature, as `value_clusters` has them; `choice`: every number of clusters tried, a JSON array."""
    frame = session.sql("select * from customers where is_sampled order by account_id").df()
    learned = value_clusters(frame)
    # Through Python's own types: JSON knows no NaN.
    choice = learned.choice.astype(object).where(learned.choice.notna(), None)
    return learned.centres.assign(choice=json.dumps(choice.to_dict("records"))).astype(CENTRE_TYPES)
