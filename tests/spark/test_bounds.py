"""What reaches dbt's process is bounded by the sample, whatever there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from dbt.adapters.icpspark.relations import Relation, Session
from icp_refinery import warehouse

SAMPLE, TRAITS = 7, 3


def test_only_sampled_rows_are_fetched(spark: Any, fetched: list[int], tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        session = Session(spark, connection, tmp_path)
        pursuits = Relation(
            session,
            spark.sql(f"""
                select cast(id as string) as account_id, id < {SAMPLE} as is_sampled, current_timestamp() as began_at,
                    current_timestamp() as closed_at, true as is_won, cast(1 as decimal(18, 4)) as value, 3 as months_observed, 24 as horizon_months
                from range(5000)
            """),
        )
        traits = Relation(
            session,
            spark.sql(f"""
                select cast(id as string) as account_id, concat('t', n) as attribute, 'x' as value, cast(null as double) as number
                from range(5000) lateral view explode(sequence(1, {TRAITS})) as n
            """),
        )
        wide = warehouse.sampled_traits(session, pursuits, traits)
        assert wide.shape == (SAMPLE, TRAITS)
        assert list(wide.index) == [str(n) for n in range(SAMPLE)]
        assert len(warehouse.pursuits_so_far(session, pursuits)) == SAMPLE
        assert pursuits.aggregate("max(horizon_months)").fetchall() == [(24,)]
        chosen = session.from_df(warehouse.sampled(pursuits))
        assert warehouse.sampled_traits(session, chosen, traits).equals(wide)
    assert fetched
    assert max(fetched) == SAMPLE * TRAITS


def test_many_rows_are_read_from_files_and_not_fetched(spark: Any, fetched: list[int], tmp_path: Path) -> None:
    spark.sql("create schema if not exists bounds")
    spark.sql("create or replace view bounds.many as select id from range(5000)")
    with duckdb.connect() as connection:
        session = Session(spark, connection, tmp_path)
        session.register("many", Relation(session, spark.table("bounds.many"), "bounds.many"))
        assert session.sql("select count(*) from many").fetchall() == [(5000,)]
    assert fetched == []
