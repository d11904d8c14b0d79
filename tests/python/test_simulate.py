"""The generator: same bytes for the same seed, consistent facts, and the effects that it claims to plant."""

import csv
import hashlib
import math
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from icp_refinery import simulate as simulation
from icp_refinery.cli import app
from icp_refinery.simulate import simulate_tables, write_world
from icp_refinery.simulate.files import SCHEMAS
from icp_refinery.simulate.mess import read_rejects
from icp_refinery.simulate.world import SEGMENTS

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "seeds" / "sample"
REJECTS = ROOT / "tests" / "fixtures" / "sample_rejects.csv"

# the input contract, written down a second time on purpose
CONTRACT = {
    "accounts": (
        "account_id account_name domain parent_account_id merged_into_account_id industry "
        "employee_count annual_revenue country region created_at"
    ),
    "account_external_ids": "account_id system external_id",
    "account_attributes": "account_id attribute value known_from",
    "contacts": ("contact_id account_id email job_title lead_source created_at became_lead_at became_mql_at became_sql_at"),
    "opportunities": (
        "opportunity_id account_id opportunity_name opportunity_type stage is_closed is_won "
        "amount currency_code lead_source created_at closed_at"
    ),
    "opportunity_stages": "opportunity_id stage stage_order entered_at",
    "orders": (
        "order_id account_id opportunity_id order_status closed_at currency_code amount starts_on "
        "ends_on term_months terminated_on replaces_order_id"
    ),
    "order_lines": "order_line_id order_id product_id quantity amount cost line_type starts_on ends_on",
    "products": "product_id product_name product_family product_type",
    "engagements": "engagement_id account_id contact_id campaign_id engagement_type topic occurred_at",
    "campaigns": "campaign_id campaign_name channel started_on ended_on",
    "campaign_members": "campaign_id account_id contact_id added_at responded",
    "campaign_spend": "campaign_id spent_on amount currency_code",
    "exchange_rates": "currency_code valid_from rate",
}
REQUIRED = {
    "accounts": "account_id",
    "account_external_ids": "account_id system external_id",
    "account_attributes": "account_id attribute value",
    "contacts": "contact_id",
    "opportunities": "opportunity_id account_id is_closed is_won created_at",
    "opportunity_stages": "opportunity_id stage entered_at",
    "orders": "order_id account_id order_status closed_at",
    "order_lines": "order_line_id order_id amount",
    "products": "product_id",
    "engagements": "engagement_id engagement_type occurred_at",
    "campaigns": "campaign_id",
    "campaign_members": "campaign_id added_at",
    "campaign_spend": "campaign_id spent_on amount",
    "exchange_rates": "currency_code valid_from rate",
}
KEYS = {
    "accounts": "account_id",
    "account_external_ids": "account_id, system, external_id",
    "account_attributes": "account_id, attribute",
    "contacts": "contact_id",
    "opportunities": "opportunity_id",
    "opportunity_stages": "opportunity_id, stage",
    "orders": "order_id",
    "order_lines": "order_line_id",
    "products": "product_id",
    "engagements": "engagement_id",
    "campaigns": "campaign_id",
    "campaign_members": "campaign_id, coalesce(account_id, 'A' || contact_id[2:8])",
    "campaign_spend": "campaign_id, spent_on",
    "exchange_rates": "currency_code, valid_from",
}

# condition on `pursuits` (see `open_world`) for each planted kind of account
PLANTS = {
    "finance": "industry = 'Financial Services' and employee_count between 200 and 999",
    "media": "industry = 'Media' and employee_count < 50 and lead_source = 'paid_social'",
}
# what could differ between kinds of accounts: (numerator, rows it is taken over)
OUTCOMES = {
    "won": ("is_won::int", "true"),
    "cycle": ("ln(date_diff('hour', created_at, closed_at))", "true"),
    "amount": ("ln(first_amount)", "is_won"),
    "multi_year": ("(term >= 24)::int", "is_won"),
    "add_on": ("has_add_on::int", "is_won"),
    "service": ("has_service::int", "is_won"),
    "renewed": ("(later_contracts > 0)::int", "is_won and term = 12 and closed_at < timestamp '2024-01-01'"),
    "expanded": ("expansions", "is_won and term >= 12 and closed_at < timestamp '2024-07-01'"),
    "memberships": ("memberships", "true"),
    "september": ("(month(closed_at) = 9)::int", "true"),
    "summer": ("(month(closed_at) in (6, 7))::int", "closed_at < timestamp '2025-06-01'"),
}


# rule: rows that break it
BROKEN = {
    "an account exists before its contacts": """
        select * from contacts c join accounts a using (account_id) where c.created_at < a.created_at
    """,
    "an account exists before it is engaged": """
        select * from engagements e join accounts a using (account_id) where e.occurred_at <
        a.created_at
    """,
    "an account exists before it joins a campaign": """
        select * from campaign_members m join accounts a using (account_id) where m.added_at <
        a.created_at
    """,
    "an account exists before its opportunities": """
        select * from opportunities o join accounts a using (account_id) where o.created_at <=
        a.created_at
    """,
    "an account exists before its orders": """
        select * from orders o join accounts a using (account_id) where o.closed_at <= a.created_at
    """,
    "a contact exists before it acts": """
        select * from engagements e join contacts c using (contact_id) where e.occurred_at <
        c.created_at
    """,
    "a contact exists before it joins a campaign": """
        select * from campaign_members m join contacts c using (contact_id) where m.added_at <
        c.created_at
    """,
    "lead, MQL and SQL follow each other": """
        select * from contacts where not coalesce(created_at <= became_lead_at and became_lead_at <=
        coalesce(became_mql_at, became_lead_at) and coalesce(became_mql_at, became_lead_at) <=
        coalesce(became_sql_at, became_mql_at, became_lead_at), became_mql_at is null and became_sql_at
        is null)
    """,
    "a pursued account has a qualified contact first": """
        select * from opportunities o where opportunity_type = 'new_business' and not exists (select 1
        from contacts c where c.account_id = o.account_id and c.became_sql_at <= o.created_at)
    """,
    "stages are entered in order": """
        select * from opportunity_stages s join opportunity_stages t using (opportunity_id) where
        s.stage_order < t.stage_order and s.entered_at > t.entered_at
    """,
    "the first stage is entered at the start": """
        select * from opportunities o where created_at <> (select min(entered_at) from
        opportunity_stages s where s.opportunity_id = o.opportunity_id)
    """,
    "a closed opportunity's last stage is entered when it closes": """
        select * from opportunities o where is_closed and (closed_at, stage) is distinct from (select
        (max(entered_at), max_by(stage, stage_order)) from opportunity_stages s where s.opportunity_id =
        o.opportunity_id)
    """,
    "only closed opportunities are won": """
        select * from opportunities where is_won and not is_closed
    """,
    "every won opportunity has its order": """
        select * from opportunities o where is_won and not exists (select 1 from orders r where
        r.opportunity_id = o.opportunity_id and r.account_id = o.account_id and r.closed_at =
        o.closed_at and r.order_status = 'closed_won')
    """,
    "orders close with their opportunity": """
        select * from orders r join opportunities o using (opportunity_id) where r.order_status <>
        'open' and r.closed_at <> o.closed_at
    """,
    "an order of a won opportunity has its currency": """
        select * from orders r join opportunities o using (opportunity_id) where r.currency_code <>
        o.currency_code
    """,
    "a replaced order is an earlier one of the account": """
        select * from orders n join orders o on n.replaces_order_id = o.order_id where o.closed_at >=
        n.closed_at or o.account_id <> n.account_id
    """,
    "contracts start before they end": """
        select * from orders where ends_on < starts_on
    """,
    "lines start before they end": """
        select * from order_lines where ends_on < starts_on
    """,
    "terminations lie within the contract": """
        select * from orders where terminated_on not between coalesce(starts_on, closed_at::date) and
        coalesce(ends_on, starts_on + to_months(term_months::int))
    """,
    "dates and term agree to the day": """
        select * from orders where day(coalesce(starts_on, closed_at::date)) <= 28
        and coalesce(starts_on, closed_at::date) + to_months(term_months::int) - interval 1 day <> ends_on
    """,
    "an order's total is the sum of its lines": """
        select * from orders o where amount <> (select sum(l.amount) from order_lines l where l.order_id
        = o.order_id)
    """,
    "an order has lines or a total": """
        select * from orders where amount is null and order_id not in (select order_id from order_lines)
    """,
    "every positive line has a cost below its price": """
        select * from order_lines where amount > 0 and (cost is null or cost < 0 or cost >= amount)
    """,
    "every currency has a rate on every order's day": """
        select * from orders o where currency_code <> 'USD' and not exists (select 1 from exchange_rates
        r where r.currency_code = o.currency_code and r.valid_from <= o.closed_at::date)
    """,
    "no event lies after the window": """
        select * from (select closed_at as moment from orders where order_status <> 'open' union all select
        closed_at from opportunities where is_closed union all select created_at from opportunities
        union all select entered_at from opportunity_stages union all select occurred_at from
        engagements union all select added_at from campaign_members union all select created_at from
        contacts union all select became_sql_at from contacts union all select created_at from accounts
        union all select spent_on from campaign_spend union all select terminated_on from orders union
        all select known_from from account_attributes) where moment >= timestamp '2025-07-01'
    """,
    "spend lies within its campaign": """
        select * from campaign_spend join campaigns using (campaign_id) where spent_on not between
        started_on and ended_on
    """,
    "members join while the campaign runs": """
        select * from campaign_members join campaigns using (campaign_id) where added_at::date not
        between started_on and ended_on
    """,
    "mail addresses are on reserved domains": """
        select * from contacts where not ends_with(email, '.example')
    """,
}

# what must occur in a world of the default size: rows that show it
STORIES = {
    "terms of one month, one, two and three years": """
        select 1 from orders where term_months in (1, 12, 24, 36) having count(distinct term_months) = 4
    """,
    "open opportunities": """
        select 1 from opportunities where not is_closed and closed_at > '2025-07-01'
    """,
    "lost renewals": """
        select 1 from opportunities where opportunity_type = 'renewal' and is_closed and not is_won
    """,
    "named replacements": """
        select 1 from orders where replaces_order_id is not null and term_months >= 12
    """,
    "early renewals": """
        select 1 from orders n join orders o on n.replaces_order_id = o.order_id where n.starts_on <
        o.ends_on
    """,
    "late renewals": """
        select 1 from orders n join orders o on n.replaces_order_id = o.order_id where n.starts_on
        between o.ends_on + 2 and o.ends_on + 31
    """,
    "renewals after the grace": """
        select 1 from orders n join orders o on n.replaces_order_id = o.order_id where n.starts_on >
        o.ends_on + 31
    """,
    "partial renewals": """
        select 1 from orders n join orders o on n.replaces_order_id = o.order_id where n.term_months =
        o.term_months and n.amount < 0.95 * o.amount and n.term_months >= 12
    """,
    "early terminations": """
        select 1 from orders where terminated_on is not null
    """,
    "win-backs": """
        select 1 from orders inner join opportunities using (opportunity_id)
        where opportunity_type = 'expansion' and term_months >= 12
    """,
    "credits within an order": """
        select 1 from order_lines l join orders o using (order_id) where l.amount < 0 and o.term_months
        is not null
    """,
    "credits of their own": """
        select order_id from order_lines group by 1 having max(amount) < 0
    """,
    "ramps": """
        select 1 from order_lines where product_id = 'SEAT' and starts_on is not null group by order_id
        having count(*) >= 2 and count(distinct amount) >= 2
    """,
    "expansions that end with the contract": """
        select 1 from order_lines l join orders o using (order_id) where coalesce(l.ends_on, o.ends_on)
        is not null and o.term_months is null and o.opportunity_id is not null
    """,
    "one-time orders": """
        select 1 from orders where starts_on is null and ends_on is null and term_months is null
    """,
    "orders without lines": """
        select 1 from orders where order_id not in (select order_id from order_lines) and amount > 0
    """,
    "lines that do not say whether they recur": """
        select 1 from order_lines where line_type is null
    """,
    "orders in the reporting currency that do not say so": """
        select 1 from orders where currency_code is null
    """,
    "three currencies": """
        select 1 from orders having count(distinct currency_code) = 3
    """,
    "orders that are open, lost or cancelled": """
        select 1 from orders having count(distinct order_status) = 4
    """,
    "leads without an account": """
        select 1 from contacts where account_id is null and became_lead_at is not null
    """,
    "two HubSpot records of one account": """
        select 1 from account_external_ids where system = 'hubspot' group by account_id having count(*)
        = 2
    """,
    "attributes known only later": """
        select 1 from account_attributes t join accounts a using (account_id) where t.known_from >
        a.created_at
    """,
    "spend without members": """
        select 1 from campaign_spend where campaign_id not in (select campaign_id from campaign_members)
    """,
}


def open_world(tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """A connection to the world's tables, with `pursuits`: first closed new business and what came of it."""
    connection = duckdb.connect()
    for name, rows in tables.items():
        connection.register(name, rows)
    connection.execute(
        """
        create table pursuits as
        with ranked as (
            select *, row_number() over (partition by account_id order by closed_at, opportunity_id) as place
            from opportunities where opportunity_type = 'new_business' and is_closed
        ),
        lines as (
            select l.order_id, sum(l.amount) as amount, bool_or(p.product_type = 'add_on') as has_add_on,
                bool_or(p.product_type = 'service') as has_service
            from order_lines as l left join products as p using (product_id) group by 1
        ),
        won_orders as (
            select *, coalesce(term_months, date_diff('month', starts_on, ends_on + 1)) as term
            from orders inner join lines using (order_id) where order_status = 'closed_won'
        ),
        members as (
            select coalesce(account_id, 'A' || contact_id[2:8]) as account_id, count(*) as memberships
            from campaign_members group by 1
        )
        select r.*, a.industry, a.employee_count, a.region, a.country,
            o.amount as first_amount, o.term, o.has_add_on, o.has_service,
            coalesce(m.memberships, 0) as memberships,
            (
                select count(*) from won_orders as later
                where later.account_id = r.account_id and later.term >= 12 and later.closed_at > r.closed_at
            ) as later_contracts,
            (
                select count(*) from opportunities as e
                where e.account_id = r.account_id and e.opportunity_type = 'expansion' and e.is_won
            ) as expansions
        from ranked as r
        inner join accounts as a using (account_id)
        left join won_orders as o on o.opportunity_id = r.opportunity_id
        left join members as m on m.account_id = r.account_id
        where r.place = 1
        """
    )
    return connection


def differences(connection: duckdb.DuckDBPyConnection, group: str) -> dict[str, float]:
    """How far a group's outcomes lie from the others', in standard errors."""
    found = {}
    for name, (value, rows) in OUTCOMES.items():
        query = f"select avg({value}), var_samp({value}) / count(*) from pursuits where {rows} and "
        (mean, error), (rest, rest_error) = (
            connection.execute(query + condition).fetchall()[0] for condition in (f"({group})", f"not ({group})")
        )
        found[name] = (mean - rest) / math.sqrt(error + rest_error)
    return found


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return simulate_tables(4000, seed=3)


@pytest.fixture(scope="module")
def world(tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    return open_world(tables)


@pytest.fixture(scope="module")
def default_world() -> duckdb.DuckDBPyConnection:
    return open_world(simulate_tables())


@pytest.fixture(scope="module")
def pursuits() -> duckdb.DuckDBPyConnection:
    return open_world(simulate_tables(20_000, seed=5))


@pytest.fixture(scope="module")
def no_signal() -> duckdb.DuckDBPyConnection:
    return open_world(simulate_tables(20_000, seed=5, signal=False))


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "CHUNK", 250)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_same_seed_gives_same_bytes_whatever_the_threads(tmp_path: Path, form: str) -> None:
    threads, found = pa.cpu_count(), []
    for count in (1, 4):
        pa.set_cpu_count(count)
        folder = tmp_path / str(count)
        write_world(folder, 600, 24, 11, form=form, truth=folder / "truth.parquet")
        found.append(digests(folder))
    pa.set_cpu_count(threads)
    assert found[0] == found[1]
    assert set(found[0]) == {f"{entity}.{form}" for entity in CONTRACT} | {"truth.parquet"}


def test_other_seed_gives_other_rows() -> None:
    one, other = (simulate_tables(300, 24, seed) for seed in (1, 2))
    same = [entity for entity in one if one[entity].equals(other[entity])]
    assert same == ["products", "campaigns"]  # the catalogue and the calendar of campaigns do not vary


@pytest.mark.usefixtures("small_chunks")
def test_chunks_differ_and_ids_stay_unique_across_them() -> None:
    tables = simulate_tables(750, 24, 4)
    connection = open_world(tables)
    for entity, key in KEYS.items():
        doubles = connection.execute(f"select {key} from {entity} group by all having count(*) > 1").fetchall()
        assert doubles == [], entity
    sizes = connection.execute(
        "select list(employee_count order by account_id) from accounts group by (account_id[2:]::int - 1) // 250"
    ).fetchall()
    assert len(sizes) == 3
    assert sizes[0] != sizes[1] != sizes[2]


def test_entities_and_columns_are_those_of_the_contract(tables: dict[str, pa.Table]) -> None:
    assert {entity: rows.column_names for entity, rows in tables.items() if entity != "truth"} == {
        entity: names.split() for entity, names in CONTRACT.items()
    }


def test_types_are_those_of_the_contract() -> None:
    for entity, schema in SCHEMAS.items():
        for column in schema:
            expected = {"_at": "timestamp[us]", "_on": "date32[day]"}.get(column.name[-3:])
            if column.name in ("amount", "cost", "annual_revenue"):
                expected = "decimal128(18, 2)"
            assert expected in (None, str(column.type)), f"{entity}.{column.name}"


def test_required_columns_are_filled(tables: dict[str, pa.Table]) -> None:
    empty = {
        (entity, name): tables[entity][name].null_count
        for entity, names in REQUIRED.items()
        for name in names.split()
        if tables[entity][name].null_count
    }
    assert empty == {}


@pytest.mark.parametrize(
    ("child", "column", "parent", "key"),
    [
        *(
            (entity, "account_id", "accounts", "account_id")
            for entity, names in CONTRACT.items()
            if "account_id" in names.split() and entity != "accounts"
        ),
        ("accounts", "parent_account_id", "accounts", "account_id"),
        ("orders", "opportunity_id", "opportunities", "opportunity_id"),
        ("orders", "replaces_order_id", "orders", "order_id"),
        ("opportunity_stages", "opportunity_id", "opportunities", "opportunity_id"),
        ("order_lines", "order_id", "orders", "order_id"),
        ("order_lines", "product_id", "products", "product_id"),
        ("engagements", "contact_id", "contacts", "contact_id"),
        ("engagements", "campaign_id", "campaigns", "campaign_id"),
        ("campaign_members", "contact_id", "contacts", "contact_id"),
        ("campaign_members", "campaign_id", "campaigns", "campaign_id"),
        ("campaign_spend", "campaign_id", "campaigns", "campaign_id"),
    ],
)
def test_without_mess_every_reference_leads_somewhere(
    world: duckdb.DuckDBPyConnection, child: str, column: str, parent: str, key: str
) -> None:
    query = f"select count({column}), count(*) filter ({column} not in (select {key} from {parent})) from {child}"
    used, dangling = world.execute(query).fetchall()[0]
    assert used > 0
    assert dangling == 0


@pytest.mark.parametrize("rule", BROKEN)
def test_without_mess_facts_are_consistent(world: duckdb.DuckDBPyConnection, rule: str) -> None:
    assert world.execute(f"select * from ({BROKEN[rule]}) limit 3").fetchall() == []


@pytest.mark.parametrize("story", STORIES)
def test_a_default_world_tells_every_story(default_world: duckdb.DuckDBPyConnection, story: str) -> None:
    assert default_world.execute(f"select 1 from ({STORIES[story]}) limit 1").fetchall()


def test_default_size(default_world: duckdb.DuckDBPyConnection) -> None:
    sizes = dict(
        default_world.execute(
            "select 'accounts', count(*) from accounts union all select 'orders', count(*) from orders "
            "union all select 'opportunities', count(*) from opportunities "
            "union all select 'lines', count(*) from order_lines"
        ).fetchall()
    )
    assert sizes["accounts"] == 1500
    assert 900 <= sizes["opportunities"] <= 1100
    assert 1350 <= sizes["orders"] <= 1700
    assert sizes["lines"] >= 2.2 * sizes["orders"]


@pytest.mark.parametrize("aim", [2, 6, 12])
def test_lines_per_account_are_about_those_asked_for(aim: int) -> None:
    tables = simulate_tables(8000, seed=2, lines_per_account=aim)
    assert tables["order_lines"].num_rows / 8000 == pytest.approx(aim, rel=0.15)


def test_planted_segments_behave_as_planted(pursuits: duckdb.DuckDBPyConnection) -> None:
    finance = differences(pursuits, PLANTS["finance"])
    raised = ("won", "amount", "multi_year", "add_on", "service", "expanded")
    assert [name for name in raised if finance[name] < 5] == []
    assert finance["renewed"] > 2.5  # few of them have the short terms that come up for renewal in the window
    media = differences(pursuits, PLANTS["media"])
    assert media["won"] < -5
    assert media["memberships"] > 5
    energy = "industry = 'Energy' and region = 'EMEA' and closed_at {} timestamp '2024-07-01'"
    late, early = (
        pursuits.execute(f"select avg(is_won::int) from pursuits where {energy.format(side)}").fetchall()[0][0]
        for side in (">=", "<")
    )
    assert early < 0.27
    assert late > 0.55
    assert differences(pursuits, "industry = 'Government'")["september"] > 5
    assert differences(pursuits, "industry = 'Education'")["summer"] > 5


def test_planted_strength_is_what_the_demo_needs(pursuits: duckdb.DuckDBPyConnection) -> None:
    rate, won_value, others = pursuits.execute(
        f"""
        select
            avg(is_won::int) filter ({PLANTS["finance"]}),
            avg(amount) filter (is_won and {PLANTS["finance"]}),
            avg(amount) filter (is_won and not ({PLANTS["finance"]}))
        from pursuits
        """
    ).fetchall()[0]
    overall = pursuits.execute("select avg(is_won::int) from pursuits").fetchall()[0][0]
    assert 0.55 <= rate <= 0.65
    assert 0.22 <= overall <= 0.30
    assert 2 <= won_value / others <= 4


@pytest.mark.parametrize("group", ["country = 'US'", "region = 'APAC'", "lead_source = 'event'", "industry = 'Healthcare'"])
def test_other_traits_do_not_decide_who_wins(pursuits: duckdb.DuckDBPyConnection, group: str) -> None:
    # among those for whom nothing was planted
    query = f"""
        select
            avg(is_won::int) filter ({group}) - avg(is_won::int) filter (not ({group})),
            sqrt(
                var_samp(is_won::int) / count(*) filter ({group})
                + var_samp(is_won::int) / count(*) filter (not ({group}))
            )
        from pursuits inner join truth using (account_id)
        where planted_segment = 'other' and lead_source <> 'referral'
    """
    difference, error = pursuits.execute(query).fetchall()[0]
    assert abs(difference) < 3.5 * error


@pytest.mark.parametrize(
    "group",
    [
        PLANTS["finance"],
        PLANTS["media"],
        "industry = 'Energy' and region = 'EMEA'",
        "industry = 'Government'",
        "industry = 'Education'",
        "lead_source = 'referral'",
        "employee_count >= 1000",
        "region = 'EMEA'",
        "exists (select 1 from engagements e where e.account_id = pursuits.account_id and engagement_type = "
        "'webinar' and occurred_at between pursuits.created_at - interval 90 day and pursuits.created_at)",
    ],
)
def test_without_signal_no_trait_has_an_effect(no_signal: duckdb.DuckDBPyConnection, group: str) -> None:
    assert {name: z for name, z in differences(no_signal, group).items() if abs(z) > 3.5} == {}


def test_a_webinar_helps_a_little(pursuits: duckdb.DuckDBPyConnection) -> None:
    attended = (
        "exists (select 1 from engagements e where e.account_id = pursuits.account_id and engagement_type = "
        "'webinar' and occurred_at between pursuits.created_at - interval 90 day and pursuits.created_at)"
    )
    assert 2 < differences(pursuits, attended)["won"] < 12


def test_truth_is_what_happens(pursuits: duckdb.DuckDBPyConnection) -> None:
    # value is compared where the 24 months in which it counts have passed
    rows = pursuits.execute(
        """
        with totals as (
            select order_id, sum(amount) as amount from order_lines group by 1
        ),
        paid as (
            select o.account_id, o.closed_at, coalesce(t.amount, o.amount)
                * case o.currency_code when 'EUR' then 1.08 when 'GBP' then 1.27 else 1 end as amount
            from orders as o left join totals as t using (order_id)
            where o.order_status = 'closed_won'
        ),
        outcomes as (
            select p.account_id, p.closed_at, p.is_won::int as won, coalesce(sum(paid.amount), 0) as value
            from pursuits as p
            left join paid
                on p.is_won and paid.account_id = p.account_id
                and paid.closed_at between p.closed_at and p.closed_at + interval 730 day
            group by all
        )
        select
            planted_segment,
            avg(won - pursuit_win_probability),
            stddev(won) / sqrt(count(*)),
            avg(value - pursuit_expected_value) filter (closed_at < '2023-06-30'),
            stddev(value) filter (closed_at < '2023-06-30') / sqrt(count(*) filter (closed_at < '2023-06-30'))
        from outcomes inner join truth using (account_id)
        group by 1
        """
    ).fetchall()
    assert {row[0] for row in rows} == set(SEGMENTS)
    for segment, rate_off, rate_error, value_off, value_error in rows:
        assert abs(rate_off) < 3.5 * rate_error, segment
        assert abs(value_off) < 3.5 * value_error, segment


def test_truth_names_the_planted_segments_and_no_others(pursuits: duckdb.DuckDBPyConnection) -> None:
    rows = dict(pursuits.execute("select planted_segment, avg(expected_value) from truth group by 1 order by 2").fetchall())
    assert rows["finance_mid_market"] > 3 * rows["energy_emea_emerging"] / 2 > 3 * rows["other"]
    assert rows["media_small_paid_social"] < 0.1 * rows["other"]


def test_without_signal_the_truth_is_flat(no_signal: duckdb.DuckDBPyConnection) -> None:
    kinds = no_signal.execute(
        "select distinct planted_segment, win_probability, value_if_won, expected_value from truth"
    ).fetchall()
    assert len(kinds) == 1


def test_a_field_filled_after_the_sale_knows_the_outcome(pursuits: duckdb.DuckDBPyConnection) -> None:
    filled = (
        "exists (select 1 from account_attributes t where t.account_id = p.account_id "
        "and attribute = 'billing_tier' and known_from is null)"
    )
    query = f"select avg(({filled})::int) from pursuits p where is_won = "
    winners, losers = (pursuits.execute(query + side).fetchall()[0][0] for side in ("true", "false"))
    assert winners > 0.8
    assert losers < 0.05


def test_csv_and_parquet_hold_the_same(tmp_path: Path) -> None:
    for form in ("csv", "parquet"):
        write_world(tmp_path / form, 300, 24, 8, form=form)
    connection = duckdb.connect()
    for entity in CONTRACT:
        typed = f"from '{tmp_path}/parquet/{entity}.parquet'"
        connection.execute(f"create table {entity} as {typed} limit 0")
        read = f"read_csv('{tmp_path}/csv/{entity}.csv', header = true, all_varchar = true)"
        connection.execute(f"insert into {entity} select * from {read}")
        for one, other in ((f"from {entity}", typed), (typed, f"from {entity}")):
            assert connection.execute(f"({one}) except all ({other})").fetchall() == [], entity


def test_csv_quotes_what_needs_it(tmp_path: Path) -> None:
    write_world(tmp_path, 600, 24, 8, form="csv")
    with (tmp_path / "accounts.csv").open(encoding="utf-8", newline="") as file:
        names = [row["account_name"] for row in csv.DictReader(file)]
    for sign in ('"', ",", ";", "&", "é", "И", "株"):
        assert any(sign in name for name in names), sign


def test_sample_is_what_the_generator_makes(tmp_path: Path) -> None:
    command = ["simulate", "--mess", "--format", "csv", "--out", str(tmp_path / "sample")]
    result = CliRunner().invoke(app, [*command, "--rejects", str(tmp_path / "rejects.csv")])
    assert result.exit_code == 0, result.output
    made = digests(tmp_path / "sample")
    assert made == {name: digest for name, digest in digests(SAMPLE).items() if name.endswith(".csv")}
    assert (tmp_path / "rejects.csv").read_bytes() == REJECTS.read_bytes()


def test_sample_is_small() -> None:
    sizes = [path.stat().st_size for path in SAMPLE.glob("*.csv")]
    assert sum(sizes) < 6_000_000
    assert max(sizes) < 1_400_000


def test_mess_only_adds_rejected_rows_and_duplicates(tmp_path: Path) -> None:
    clean = simulate_tables()
    expected = read_rejects(REJECTS)
    for entity in CONTRACT:
        with (SAMPLE / f"{entity}.csv").open(encoding="utf-8", newline="") as file:
            rows = sum(1 for _ in csv.DictReader(file))
        rejected = sum(count for (name, _), count in expected.items() if name == entity)
        second_accounts = 16 if entity == "accounts" else 0  # 15 companies twice, one of them three times
        assert rows == clean[entity].num_rows + rejected + second_accounts, entity


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mess"], "format csv"),
        (["--rejects", "rejects.csv"], "no rejects"),
        (["--accounts", "0"], "accounts must lie between"),
        (["--months", "3"], "months must lie between"),
        (["--seed", "-1"], "seed must not be negative"),
        (["--lines-per-account", "40"], "lines per account must lie between"),
        (["--mess", "--format", "csv", "--accounts", "50"], "too small for the mess"),
    ],
)
def test_a_wrong_setting_is_said_in_a_sentence(tmp_path: Path, options: list[str], words: str) -> None:
    result = CliRunner().invoke(app, ["simulate", "--out", str(tmp_path / "out"), *options], terminal_width=300)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("accounts", [1, 3, 25])
def test_a_tiny_world_has_every_entity(accounts: int, seed: int) -> None:
    tables = simulate_tables(accounts, 6, seed)
    assert set(tables) == {*CONTRACT, "truth"}
    assert tables["accounts"].num_rows == accounts
