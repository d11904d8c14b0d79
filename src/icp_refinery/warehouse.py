"""From the warehouse's relations to the frames that `learning` takes.

At most `learning_max_rows` pursuits (marked `is_sampled` in SQL, by a hash of the id) are read, with their accounts' traits;
and as many customers.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pandas as pd
from duckdb import DuckDBPyConnection as Session
from duckdb import DuckDBPyRelation as Relation

from icp_refinery.project import MOST_ACCOUNTS, OUTCOMES

# Sizes are there twice: as a number, and in bands that people speak of.
BANDED = {"employee_count": "size_band", "annual_revenue": "revenue_band"}
MOST_TRAITS = 200  # that are learned from: those known of most accounts
BEHAVIOURS = {"is_multi_year": "multi_year", "has_add_on": "add_on", "has_service": "services", "is_bundle": "bundle"}


def query(session: Session, sql: str, **relations: Relation) -> Relation:
    """`sql` over relations by the names that they are given here: none is looked up among Python's variables.

    On Spark the session has the engine answer it (`ask`), so that only what is asked for reaches this process.
    """
    if hasattr(session, "ask"):
        return session.ask(sql, relations)
    named = ", ".join(f"{name} as ({relation.sql_query()})" for name, relation in relations.items())
    return session.sql(f"with {named} {sql}")


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Doubles to 12 digits, and texts as texts also where all are missing."""
    for name in frame:
        if frame[name].dtype == "float64":
            frame[name] = [float(f"{x:.12g}") for x in frame[name]]
        elif frame[name].dtype == object:
            frame[name] = frame[name].astype("string")
    return frame


def sampled(relation: Relation) -> pd.DataFrame:
    """The sampled rows, by account."""
    return relation.filter("is_sampled").order("account_id").df()


def sampled_traits(session: Session, accounts: Relation, traits: Relation) -> pd.DataFrame:
    """The traits of the sampled accounts: index `account_id`, a column per attribute, text (object) or number (float).

    At most `MOST_TRAITS` of them, the same ones for any sample. Sizes are there both ways (`with_sizes`).
    """
    names = sampled(accounts)["account_id"]
    long = query(
        session,
        f"""
        select traits.account_id, attribute, value, number
        from traits semi join (select account_id from accounts where is_sampled) as sampled using (account_id)
        semi join (select attribute from traits group by attribute order by count(*) desc, attribute limit {MOST_TRAITS}) as most
            using (attribute)
        order by traits.account_id, attribute
        """,
        traits=traits,
        accounts=accounts,
    ).df()
    is_text = long["value"].notna()
    texts = long[is_text].pivot(index="account_id", columns="attribute", values="value").astype(object)
    numbers = long[~is_text].pivot(index="account_id", columns="attribute", values="number").astype(float)
    wide = texts.join(numbers, how="outer").reindex(names)
    return wide.astype(object).where(wide.notna(), None).astype({name: float for name in numbers})


def with_sizes(form: Literal["numbers", "bands"], traits: pd.DataFrame) -> pd.DataFrame:
    """The traits with sizes as numbers, for rules to find their own cuts in, or in bands."""
    if form == "numbers":
        return traits.drop(columns=list(BANDED.values()), errors="ignore")
    return traits.drop(columns=[number for number, band in BANDED.items() if band in traits])


# Pursuits ---------------------------------------------------------------------------------------------------


def pursuits_so_far(session: Session, pursuits: Relation) -> pd.DataFrame:
    """The sampled pursuits as `learn_segments` takes them, with what they have brought so far."""
    query_text = """
        select account_id, began_at as began_on, closed_at as closed_on, is_won,
            cast(value as double) as value, cast(months_observed as double) as months_observed
        from pursuits where is_sampled order by account_id
    """
    return query(session, query_text, pursuits=pursuits).df()


def sales_of_sampled(session: Session, pursuits: Relation, sales: Relation) -> pd.DataFrame:
    """What was sold with the sampled pursuits: `account_id`, `sold_on`, `month` (since the win), `value`."""
    query_text = """
        select account_id, sold_at as sold_on, months_since_win as month, cast(value as double) as value
        from sales semi join (select account_id from pursuits where is_sampled) as sampled using (account_id)
        order by account_id, sold_at, value
    """
    return query(session, query_text, pursuits=pursuits, sales=sales).df()


def pursuits_and_sales(session: Session, pursuits: Relation, sales: Relation) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """The sampled pursuits, what was sold with them by month since the win, and the months to which `developed` develops."""
    horizon = pursuits.aggregate("max(horizon_months)").fetchall()[0][0] or 1
    history = sales_of_sampled(session, pursuits, sales).sort_values(["account_id", "month", "value"], ignore_index=True)
    return pursuits_so_far(session, pursuits), history, horizon


def closed_by_cycle(session: Session, pursuits: Relation) -> pd.DataFrame:
    """The sampled pursuits with the cycle of their close, as the review of cycles takes them."""
    query_text = """
        select account_id, cast(cycle_start as timestamp) as cycle_start, closed_at as closed_on, is_won,
            cast(first_order_value as double) as first_order_value, cast(days_to_close as double) as days_to_close
        from pursuits where is_sampled order by account_id
    """
    return query(session, query_text, pursuits=pursuits).df()


def cycle_dates(cycles: Relation) -> pd.DataFrame:
    """`cycle_start`, `cycle_end` (as times), `is_finished`."""
    frame = cycles.select("cycle_start, cycle_end, is_finished").df()
    return frame.assign(cycle_start=pd.to_datetime(frame["cycle_start"]), cycle_end=pd.to_datetime(frame["cycle_end"]))


def outcomes_and_behaviours(pursuits: Relation) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What became of the sampled pursuits, and what their first orders held, as `attribute_effects` takes both."""
    frame = sampled(pursuits)
    outcomes = frame[["account_id", "period", *OUTCOMES]].astype({name: float for name in OUTCOMES})
    behaviours = frame.set_index("account_id")[list(BEHAVIOURS)].rename(columns=BEHAVIOURS)
    return outcomes, behaviours.dropna().astype(bool)


def moments_and_signals(
    session: Session, moments: Relation, signals: Relation, *, quarters: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of the sampled accounts the moments of which it is known what followed, and what they did before, as `learn_engagement`
    takes both: the recent ones, or the quarter starts."""
    chosen = "date_trunc('quarter', moment_at) = moment_at" if quarters else "is_recent"
    query_text = f"""
        select account_id, cast(moment_at as timestamp) as moment_at, is_followed from moments
        where is_sampled and is_followed is not null and {chosen} order by account_id, moment_at
    """
    known = query(session, query_text, moments=moments).df()
    query_text = f"""
        select account_id, cast(moment_at as timestamp) as moment_at, attribute, number
        from signals semi join (select * from moments where is_sampled and is_followed is not null and {chosen}) as known
            using (account_id, moment_at)
        order by account_id, moment_at, attribute
    """
    return known, query(session, query_text, moments=moments, signals=signals).df()


# Definitions ------------------------------------------------------------------------------------------------


def adopted_definition(session: Session, adoptions: Relation, segments: Relation, rules: Relation) -> pd.DataFrame:
    """The adopted segments in force, as `learned_segments` has them, with `learned_as_of` and `recorded_value_per_pursuit`."""
    query_text = """
        select
            segments.segment_id,
            segment_name,
            definition,
            coalesce(tier_override, tier) as tier,
            concat('adopted ', adoptions.adoption_number) as evidence,
            coalesce(conditions.rules, '[]') as rules,
            cast(adoptions.learned_as_of as timestamp) as learned_as_of,
            cast(value_per_pursuit as double) as recorded_value_per_pursuit
        from adoptions
        join segments on adoptions.adoption_number = cast(segments.adoption_number as integer)
        left join (
            select
                adoption_number,
                segment_id,
                cast(to_json(list(
                    {attribute: attribute, operator: operator, value: value} order by attribute, operator, value nulls last
                )) as varchar) as rules
            from rules group by all
        ) as conditions
            on segments.adoption_number = conditions.adoption_number and segments.segment_id = conditions.segment_id
        where adoptions.is_in_force
        order by segments.segment_id
    """
    few = {"adoptions": adoptions, "segments": segments, "rules": rules}
    with session.cursor() as cursor:
        for name, relation in few.items():
            cursor.register(name, relation.to_arrow_table())
        return cursor.execute(query_text).df()


def definition_in_force(
    session: Session, learned: Relation, adoptions: Relation, segments: Relation, rules: Relation
) -> pd.DataFrame:
    """The adopted segments in force, or without an adoption those of `learned_segments`, with `learned_as_of`."""
    adopted = adopted_definition(session, adoptions, segments, rules)
    return adopted if len(adopted) else learned.order("segment_id").df().assign(learned_as_of=pd.NaT)


def last_revised(session: Session, review: Relation) -> list[str]:
    """The segments of which the review of the last finished cycle says `revise`."""
    sql = "select segment_id from review where verdict = 'revise' and cycle_start = (select max(cycle_start) from review)"
    return [segment for (segment,) in query(session, sql, review=review).fetchall()]


def texts_of(seed: Relation) -> list[dict[str, str]]:
    """The rows of a seed, every field a text, empty where there is none."""
    rows = seed.df().to_dict("records")
    return [{key: "" if pd.isna(value) else str(value) for key, value in row.items()} for row in rows]


# Backtest ---------------------------------------------------------------------------------------------------


class Tried(NamedTuple):
    """What a backtest is tried on: the `accounts` that were chosen, their `pursuits`, their `sales`, and the `spend` on them."""

    accounts: Relation
    pursuits: pd.DataFrame
    sales: pd.DataFrame
    spend: pd.DataFrame


def tried(session: Session, pursuits: Relation, sales: Relation, spend: Relation, orders: Relation) -> Tried:
    """`MOST_ACCOUNTS` pursuits and as many accounts without one, chosen by a hash of the id.

    Spend is what was spent until the month of an account's first order, scaled up from the sample; accounts that have orders
    and no pursuit are left out.
    """
    query_text = """
        select spend.account_id, spend_month, cast(sum(spend.amount) as double) as amount
        from spend
        left join pursuits on spend.account_id = pursuits.account_id
        left join orders on spend.account_id = orders.account_id and order_number = 1
        where spend.account_id is not null
            and (orders.account_id is null or pursuits.account_id is not null and spend_month <= orders.closed_at)
        group by spend.account_id, spend_month
    """
    paid = query(session, query_text, spend=spend, pursuits=pursuits, orders=orders)
    query_text = f"""
        select account_id, true as is_sampled, greatest(total / {MOST_ACCOUNTS}, 1) as weight
        from (
            select *,
                row_number() over (partition by is_pursued order by md5(account_id), account_id) as number,
                count(*) over (partition by is_pursued) as total
            from (
                select account_id, true as is_pursued from pursuits
                union all
                select distinct account_id, false from paid anti join pursuits using (account_id)
            )
        )
        where number <= {MOST_ACCOUNTS}
    """
    chosen = session.from_df(query(session, query_text, pursuits=pursuits, paid=paid).df())
    query_text = """
        select account_id, began_at as began_on, closed_at as closed_on, is_won, cast(value as double) as value
        from pursuits semi join chosen using (account_id) order by account_id
    """
    frame = query(session, query_text, pursuits=pursuits, chosen=chosen).df()
    query_text = """
        select account_id, sold_at as sold_on, cast(value as double) as value
        from sales semi join chosen using (account_id) order by account_id, sold_at, value
    """
    sold = query(session, query_text, sales=sales, chosen=chosen).df()
    query_text = """
        select account_id, spend_month, amount * weight as amount
        from paid join chosen using (account_id) order by account_id, spend_month
    """
    return Tried(chosen, frame, sold, query(session, query_text, paid=paid, chosen=chosen).df())
