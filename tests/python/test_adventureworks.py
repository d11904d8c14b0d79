"""AdventureWorks: the mapped files, and the marts built from them, give the figures of the raw tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from conftest import ROOT, BuildResult, build, load

EXAMPLE = ROOT / "examples" / "adventureworks"

# Facts of the raw tables, each found by two independent queries on them before this project read them.
COUNTS = {
    "fct_order_lines": 60_855,
    "fct_orders": 3_796,
    "dim_products": 504,
    "dim_accounts": 701,
    "fct_customers": 635,
    "fct_customers where order_count > 1": 605,
    "fct_customers where first_order_at >= '2010-12-01' and first_order_at < '2011-01-01'": 38,
    "fct_customers where first_order_at >= '2011-01-01' and first_order_at < '2011-02-01'": 75,
    "fct_customers where first_order_at >= '2011-03-01' and first_order_at < '2011-04-01'": 64,
    "fct_customers where first_order_at >= '2011-05-01' and first_order_at < '2011-06-01'": 26,
}
NET_SALES = Decimal("80450596.98")
NET_SALES_AND_GROSS_PROFIT = {
    "Warehouse": (Decimal("38726913.48"), Decimal("-4789.98")),
    "Value Added Reseller": (Decimal("34967517.33"), Decimal("447474.93")),
    "Specialty Bike Shop": (Decimal("6756166.18"), Decimal("27797.65")),
}
COHORTS = {"2010-12-01": 38, "2011-01-01": 75, "2011-03-01": 64, "2011-05-01": 26}

Query = Callable[[str], list[tuple[Any, ...]]]


def load_tables(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory with one table for each Parquet file of a folder."""
    connection = duckdb.connect()
    for file in folder.glob("*.parquet"):
        connection.read_parquet(str(file)).create(file.stem)
    return connection


def querying(connection: duckdb.DuckDBPyConnection) -> Query:
    """Answers a query with its rows, money as Decimal."""
    return lambda query: connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def raw() -> Query:
    return querying(load_tables(EXAMPLE / "raw"))


@pytest.fixture(scope="module")
def mapped(adventureworks_files: Path) -> Query:
    return querying(load_tables(adventureworks_files))


@pytest.fixture(scope="module")
def marts(adventureworks: BuildResult) -> Query:
    connection = duckdb.connect(adventureworks.database, read_only=True)
    connection.execute("use marts")
    return querying(connection)


# The mapped files


def test_every_raw_line_is_mapped_once_with_its_amount_cost_and_quantity(raw: Query, mapped: Query) -> None:
    expected = raw("""
        select
            SalesOrderNumber || '-' || SalesOrderLineNumber, SalesOrderNumber, OrderQuantity, SalesAmount,
            TotalProductCost
        from FactResellerSales
    """)
    lines = mapped("select order_line_id, order_id, quantity, amount, cost from order_lines")
    assert len(lines) == 60_855
    assert sorted(lines) == sorted(expected)


def test_each_order_keeps_its_reseller_and_date(raw: Query, mapped: Query) -> None:
    expected = raw("""
        select SalesOrderNumber, min(ResellerAlternateKey), min(OrderDate)
        from FactResellerSales join DimReseller using (ResellerKey)
        group by SalesOrderNumber
    """)
    orders = mapped("select order_id, account_id, closed_at from orders")
    assert len(orders) == 3_796
    assert sorted(orders) == sorted(expected)


def test_resellers_that_share_a_name_stay_apart(mapped: Query) -> None:
    assert mapped("select count(*), count(distinct account_id) from accounts") == [(701, 701)]
    assert mapped("select count(distinct account_name) from accounts") == [(699,)]


def test_a_line_of_a_superseded_product_version_finds_the_one_product(raw: Query, mapped: Query) -> None:
    assert mapped("select count(*), count(distinct product_id) from products") == [(504, 504)]
    superseded = raw("""
        select SalesOrderNumber || '-' || SalesOrderLineNumber, older.ProductAlternateKey
        from FactResellerSales join DimProduct as older using (ProductKey)
        where exists (
            from DimProduct as newer
            where newer.ProductAlternateKey = older.ProductAlternateKey and newer.StartDate > older.StartDate
        )
    """)
    assert len(superseded) == 14_323
    lines = dict(mapped("select order_line_id, product_id from order_lines semi join products using (product_id)"))
    assert len(lines) == 60_855
    assert {line: lines[line] for line, _ in superseded} == dict(superseded)


def test_a_product_takes_its_name_from_the_newest_version() -> None:
    """No raw name ever changes, so the versions here are made up; their keys are not in order of time."""
    with load_tables(EXAMPLE / "raw") as connection:
        connection.execute("""
            delete from DimProduct;
            insert into DimProduct values
            (1, 'BK', 1, 'Bike 2013', '2013-07-01'), (2, 'BK', 1, 'Bike 2012', '2012-07-01');
        """)
        connection.execute((EXAMPLE / "map.sql").read_text(encoding="utf-8"))
        products = connection.execute("select product_id, product_name, product_family from products").fetchall()
    assert products == [("BK", "Bike 2013", "Bikes")]


def test_traits_that_know_the_orders_are_left_out(mapped: Query) -> None:
    assert mapped("select attribute, count(*) from account_attributes group by attribute order by attribute") == [
        ("bank", 701),
        ("business_type", 701),
        ("product_line", 701),
        ("sales_territory", 701),
        ("year_opened", 701),
    ]
    assert [column for column, *_ in mapped("describe accounts")] == [
        "account_id",
        "account_name",
        "employee_count",
        "annual_revenue",
        "country",
        "region",
    ]


def test_without_cost_only_the_cost_is_missing(mapped: Query, tmp_path: Path) -> None:
    folder = tmp_path / "work's files"
    load(EXAMPLE / "prepare.py").prepare(folder, with_cost=False)
    without_cost = querying(load_tables(folder))
    assert without_cost("show tables") == mapped("show tables")
    for (entity,) in mapped("show tables"):
        columns = "* exclude (cost)" if entity == "order_lines" else "*"
        assert without_cost(f"from {entity}") == mapped(f"select {columns} from {entity}")


# The marts


@pytest.mark.slow
@pytest.mark.parametrize("counted", COUNTS)
def test_the_marts_count_what_the_raw_tables_hold(marts: Query, counted: str) -> None:
    assert marts(f"select count(*) from {counted}") == [(COUNTS[counted],)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mart", "column"),
    [("fct_order_lines", "amount"), ("fct_orders", "net_amount"), ("fct_customers", "net_amount")],
)
def test_net_sales_are_the_same_in_every_mart(marts: Query, raw: Query, mart: str, column: str) -> None:
    ((net_sales,),) = marts(f"select sum({column}) from {mart}")
    assert [(net_sales,)] == raw("select sum(SalesAmount) from FactResellerSales")
    assert round(net_sales, 2) == NET_SALES


@pytest.mark.slow
@pytest.mark.parametrize("business_type", NET_SALES_AND_GROSS_PROFIT)
@pytest.mark.parametrize("mart", ["fct_orders", "fct_customers"])
def test_net_sales_and_gross_profit_by_business_type(marts: Query, mart: str, business_type: str) -> None:
    ((net_sales, gross_profit),) = marts(f"""
        select sum(net_amount), sum(margin_amount)
        from {mart} join input.input_account_attributes using (account_id)
        where attribute = 'business_type' and value = '{business_type}'
    """)
    assert (round(net_sales, 2), round(gross_profit, 2)) == NET_SALES_AND_GROSS_PROFIT[business_type]


@pytest.mark.slow
def test_each_reseller_has_the_money_of_its_raw_lines_to_four_decimals(marts: Query, raw: Query) -> None:
    expected = raw("""
        select
            ResellerAlternateKey, count(distinct SalesOrderNumber), sum(SalesAmount),
            sum(SalesAmount) - sum(TotalProductCost), min(OrderDate)
        from FactResellerSales join DimReseller using (ResellerKey)
        group by ResellerAlternateKey
    """)
    customers = marts("select account_id, order_count, net_amount, margin_amount, first_order_at from fct_customers")
    assert len(customers) == 635
    assert sorted(customers) == sorted(expected)


@pytest.mark.slow
def test_transactions_make_cohorts_but_no_recurring_revenue(marts: Query) -> None:
    sizes = dict(
        marts("""
            select cast(cohort_month as varchar), cohort_customers
            from cohort_retention
            where months_since = 0 and segment_id = 'all'
        """)
    )
    assert {month: sizes.get(month) for month in COHORTS} == COHORTS
    assert sum(sizes.values()) == 635
    assert marts("select count(*) from fct_contracts") == [(0,)]
    assert marts("select count(*) from fct_mrr_movements") == [(0,)]
    assert marts("select distinct term_months, is_multi_year from fct_orders") == [(None, False)]


@pytest.mark.slow
def test_no_raw_row_is_rejected(marts: Query) -> None:
    assert marts("from input.input_rejects") == []


# The script behind `make example`


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, with its folder on the path for what it imports."""
    monkeypatch.syspath_prepend(EXAMPLE)
    return load(EXAMPLE / "run.py")


@pytest.mark.slow
def test_the_example_says_whether_the_marts_agree(
    run: Any, adventureworks: BuildResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.marts_agree(adventureworks.database)
    assert "NO" not in capsys.readouterr().out

    tampered = shutil.copy(adventureworks.database, tmp_path / "tampered.duckdb")
    with duckdb.connect(tampered) as connection:
        connection.execute("update intermediate.int_orders__priced set net_amount = net_amount + 0.01 where order_id = 'SO43659'")
    assert not run.marts_agree(tampered)
    (wrong,) = [line for line in capsys.readouterr().out.splitlines() if "NO" in line]
    assert "net sales" in wrong
    assert "80,450,596.99" in wrong


# What is learned, by margin and (without cost) by revenue


@pytest.fixture(scope="module")
def by_margin(adventureworks: BuildResult) -> Query:
    return learned(adventureworks)


@pytest.fixture(scope="module")
def by_revenue(tmp_path_factory: pytest.TempPathFactory) -> Query:
    folder = tmp_path_factory.mktemp("adventureworks_without_cost")
    load(EXAMPLE / "prepare.py").prepare(folder / "files", with_cost=False)
    options = {"select": "+dim_accounts +fct_customers +icp_attribute_effects", "unit_tests": False, "data_tests": False}
    return learned(build(folder / "build", folder / "files", **options))


def learned(result: BuildResult) -> Query:
    """Answers queries on `resellers`: each with its tier, business type, product line, and money of the orders."""
    connection = duckdb.connect()
    connection.execute(f"attach '{result.database}' as aw (read_only)")
    connection.execute("""
        create table resellers as
        select dim_accounts.tier, business.value as business_type, line.value as product_line, net_amount, margin_amount
        from aw.marts.dim_accounts
        join aw.input.input_account_attributes as business
            on dim_accounts.account_id = business.account_id and business.attribute = 'business_type'
        join aw.input.input_account_attributes as line
            on dim_accounts.account_id = line.account_id and line.attribute = 'product_line'
        left join aw.marts.fct_customers on dim_accounts.account_id = fct_customers.account_id
    """)
    return querying(connection)


def share_of(query: Query, tier: str, where: str) -> float:
    return query(f"select avg(cast(tier in ({tier}) as integer)) from resellers where {where}")[0][0]


@pytest.mark.slow
def test_by_margin_warehouses_are_not_tier_1_for_being_warehouses(by_margin: Query) -> None:
    assert share_of(by_margin, "'tier_1'", "business_type = 'Warehouse'") < 0.5
    assert share_of(by_margin, "'tier_1', 'tier_2'", "business_type = 'Warehouse' and product_line <> 'Mountain'") == 0
    assert share_of(by_margin, "'deprioritized'", "business_type = 'Warehouse' and product_line <> 'Mountain'") > 0.6
    alone = by_margin("""
        select count(*) from aw.marts.icp_segments semi join (
            select segment_id from aw.marts.icp_segment_rules
            group by segment_id having bool_and(attribute in ('business_type', 'annual_revenue'))
        ) using (segment_id) where tier in ('tier_1', 'tier_2')
    """)
    assert alone == [(0,)]


@pytest.mark.slow
def test_by_margin_the_mountain_line_is_what_pays(by_margin: Query) -> None:
    mountain = "product_line = 'Mountain' and business_type in ('Warehouse', 'Value Added Reseller')"
    assert share_of(by_margin, "'tier_1'", mountain) == 1
    money = dict(by_margin("select tier, sum(margin_amount) from resellers group by tier"))
    assert money["tier_1"] > 2_000_000
    assert money["deprioritized"] < -500_000
    verdicts = by_margin("""
        select value, verdict from aw.marts.icp_attribute_effects
        where outcome = 'high_value' and attribute = 'product_line' and verdict <> 'no_evidence' order by value
    """)
    assert verdicts == [("Mountain", "raises"), ("Road", "lowers")]


@pytest.mark.slow
def test_by_revenue_warehouses_are_wanted_and_bike_shops_are_not(by_revenue: Query) -> None:
    assert by_revenue("select count(margin_amount) from resellers") == [(0,)]
    assert share_of(by_revenue, "'tier_1', 'tier_2'", "business_type = 'Warehouse'") > 0.6
    assert share_of(by_revenue, "'deprioritized'", "business_type = 'Warehouse'") == 0
    assert share_of(by_revenue, "'tier_1', 'tier_2'", "business_type = 'Specialty Bike Shop'") == 0
    assert share_of(by_revenue, "'deprioritized'", "business_type = 'Specialty Bike Shop'") > 0.5
    verdict = by_revenue("""
        select verdict from aw.marts.icp_attribute_effects
        where outcome = 'high_value' and attribute = 'business_type' and value = 'Specialty Bike Shop'
    """)
    assert verdict == [("lowers",)]
