"""Value clusters in the warehouse: every customer is where the library puts it, also a month later, and however few there are."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from conftest import SAMPLE, BuildResult, build
from icp_refinery.learning.clusters import ALL_CUSTOMERS, assign_clusters, value_clusters

pytestmark = pytest.mark.slow
CLUSTERS = "int_customers__sampled learned_value_clusters int_customers__value_clusters"


def query(database: Path, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.sql(sql).df()


def placed(database: Path) -> pd.DataFrame:
    """What SQL says: the columns of `assign_clusters`."""
    return query(
        database,
        """
        select account_id, value_cluster_number as cluster, value_cluster as cluster_name
        from applied.int_customers__value_clusters order by account_id
        """,
    )


def assert_placed_as_by_the_library(database: Path) -> None:
    customers = query(database, "from intermediate.int_customers")
    centres = query(database, "from learned.learned_value_clusters")
    expected = assign_clusters(customers, centres)
    pd.testing.assert_frame_equal(placed(database), expected, check_dtype=False)


@pytest.mark.parametrize("company", ["demo", "adventureworks"])
def test_sql_places_every_customer_as_the_library_does(company: str, request: pytest.FixtureRequest) -> None:
    database = request.getfixturevalue(company).database
    assert_placed_as_by_the_library(database)
    learned = value_clusters(query(database, "from marts.fct_customers"))
    pd.testing.assert_frame_equal(placed(database), learned.assignments, check_dtype=False)
    assert learned.assignments["cluster"].nunique() > 2


@pytest.mark.parametrize("company", ["demo", "adventureworks"])
def test_the_choice_is_shown_as_it_was_made(company: str, request: pytest.FixtureRequest) -> None:
    database = request.getfixturevalue(company).database
    shown = query(
        database,
        """
        select cluster_count as k, silhouette, stability, smallest_share, is_chosen as chosen, note
        from marts.icp_value_cluster_choice order by k
        """,
    )
    expected = value_clusters(query(database, "from marts.fct_customers")).choice
    pd.testing.assert_frame_equal(shown, expected, check_dtype=False)


def test_sql_and_library_agree_on_ties_and_extremes(demo: BuildResult, tmp_path: Path) -> None:
    database = Path(shutil.copy(demo.database, tmp_path / "icp.duckdb"))
    with duckdb.connect(str(database)) as connection:
        connection.execute("""
            -- The centre of the first cluster a second time, under a lower and a higher number.
            insert into learned.learned_value_clusters
            select * exclude (step) replace (cluster + step as cluster, 'copy' || step as cluster_name)
            from learned.learned_value_clusters, (values (-1), (9)) as steps (step)
            where cluster = 1;
            create table numbered as
            select *, row_number() over (order by account_id) as n from intermediate.int_customers;
            create or replace table intermediate.int_customers as
            select * exclude (n) replace (
                case n when 1 then 99999999999999 when 2 then -99999999999999 when 3 then 0 else net_amount end as net_amount,
                case n when 4 then 0 else first_annual_contract_value end as first_annual_contract_value,
                case n when 5 then 0 else peak_mrr end as peak_mrr,
                case n when 6 then 100000 else expansion_count end as expansion_count
            )
            from numbered
        """)
    build(tmp_path, select="int_customers__value_clusters", command="run")
    assert_placed_as_by_the_library(database)
    found = placed(database)["cluster_name"].value_counts()
    assert found["copy-1"] > 0
    assert "copy9" not in found


def test_at_most_so_many_customers_are_learned_from_and_all_are_placed(demo: BuildResult, tmp_path: Path) -> None:
    database = Path(shutil.copy(demo.database, tmp_path / "icp.duckdb"))
    build(tmp_path, select=CLUSTERS, vars={"learning_max_rows": 120}, command="run")
    learned = query(database, "select distinct cluster, customers from learned.learned_value_clusters")
    assert learned["customers"].sum() == 120
    assert len(placed(database)) == len(query(database, "from marts.fct_customers"))


def test_customers_keep_their_cluster_when_a_month_is_added(demo: BuildResult, tmp_path: Path) -> None:
    earlier = build(
        tmp_path, SAMPLE, select=f"+{CLUSTERS}", exclude="resource_type:test", unit_tests=False, vars={"as_of": "2025-05-31"}
    )
    both = placed(earlier.database).merge(placed(demo.database), on="account_id", suffixes=("_before", "_after"))
    assert len(both) == len(placed(earlier.database))
    assert adjusted_rand_score(both["cluster_before"], both["cluster_after"]) >= 0.8
    assert set(both["cluster_name_before"]) == set(both["cluster_name_after"])


@pytest.fixture(scope="module")
def lost_order(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    files = tmp_path_factory.mktemp("lost_order")
    (files / "accounts.csv").write_text("account_id\na1\na2\n")
    (files / "orders.csv").write_text("order_id,account_id,order_status,closed_at,amount\no1,a1,lost,2024-01-01,100\n")
    options = {"select": "+icp_value_clusters +icp_value_cluster_choice", "unit_tests": False, "data_tests": False}
    return build(tmp_path_factory.mktemp("build"), files, **options)


@pytest.mark.parametrize(("company", "customers"), [("one_order", 1), ("lost_order", 0)])
def test_too_few_customers_are_one_cluster_that_says_so(company: str, customers: int, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(company)
    (cluster,) = query(result.database, "from marts.icp_value_clusters").to_dict("records")
    assert cluster["value_cluster"] == ALL_CUSTOMERS
    assert cluster["evidence"].startswith("not enough evidence")
    assert cluster["customer_count"] == len(placed(result.database)) == customers
    (choice,) = query(result.database, "from marts.icp_value_cluster_choice").to_dict("records")
    assert choice["cluster_count"] == 1
    assert choice["is_chosen"]
    types = dict(query(result.database, "describe learned.learned_value_clusters")[["column_name", "column_type"]].values)
    assert types.pop("cluster") == types.pop("customers") == "BIGINT"
    assert {types.pop(name) for name in ("unit", "middle", "spread", "centre")} == {"DOUBLE"}
    assert set(types.values()) == {"VARCHAR"}
