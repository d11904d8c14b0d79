"""From the warehouse's relations to the learning functions and back: what the Python models call.

At most `learning_max_rows` pursuits (marked `is_sampled` in SQL, by a hash of the id) are read, with their accounts' traits.
"""

import json

import duckdb
import pandas as pd

from icp_refinery.backtest import MOST_ACCOUNTS, backtest
from icp_refinery.effects import attribute_effects
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


def learned_backtest(
    session: duckdb.DuckDBPyConnection,
    pursuits: duckdb.DuckDBPyRelation,
    traits: duckdb.DuckDBPyRelation,
    sales: duckdb.DuckDBPyRelation,
    spend: duckdb.DuckDBPyRelation,
    orders: duckdb.DuckDBPyRelation,
    as_of: duckdb.DuckDBPyRelation,
) -> pd.DataFrame:
    """One row per cut-off, scorer, measure and share, as `backtest` has them.

    `MOST_ACCOUNTS` pursuits and as many accounts without one are read, chosen by a hash of the id. Spend is what was spent until
    the month of an account's first order, scaled up from the sample; accounts that have orders and no pursuit are left out.
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
    return backtest(frame, wide_traits(session, chosen, traits), sold, spent, as_of=last_day)
