"""From the warehouse's relations to the learning functions and back: what the Python models call.

At most `learning_max_rows` pursuits (marked `is_sampled` in SQL, by a hash of the id) are read, with their accounts' traits.
"""

import json

import duckdb
import pandas as pd

from icp_refinery.effects import attribute_effects
from icp_refinery.segments import learn_segments

OUTCOMES = ["won", "high_value", "multi_year", "add_on", "retained", "expanded"]
# Sizes are there twice: as a number, in which rules find their own cuts, and in bands that people speak of.
BANDED = {"employee_count": "size_band", "annual_revenue": "revenue_band"}
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
    return attribute_effects(outcomes, wide_traits(session, pursuits, traits, banded=True), behaviours.dropna().astype(bool))
