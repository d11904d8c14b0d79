"""Build one company on DuckDB and on Spark, with every data test, and compare what both say. `make spark` runs this file."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]
ALSO = ["input.input_rejects", "input.input_dropped_values"]
DIGITS = 9  # of doubles, which both engines add up in any order


def command(arguments: list[str], folder: Path, engine: str, variables: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """dbt's arguments, and the environment, for a run that writes inside `folder`."""
    places = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
    places += ["--target-path", str(folder / f"target_{engine}"), "--log-path", str(folder / f"logs_{engine}")]
    environment = {
        "ICP_DATABASE": str(folder / "icp.duckdb"),
        "ICP_PUBLISHED": str(folder / f"published_{engine}"),
        "ICP_SPARK_WAREHOUSE": str(folder / "spark"),
    }
    return ["--no-use-colors", *arguments, "--target", engine, "--vars", json.dumps(variables), *places], environment


def started(*run: Any, **more: str) -> subprocess.Popen[str]:
    """dbt in a process of its own, with `command`'s arguments."""
    arguments, environment = command(*run)
    return subprocess.Popen(
        [sys.executable, "-m", "dbt.cli.main", *arguments],
        env=os.environ | environment | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rows(batches: Iterable[dict[str, Any]]) -> Counter[str]:
    """Rows as a multiset, doubles to `DIGITS` digits, all else as it is."""
    return Counter(
        repr([(name, f"{value:.{DIGITS}g}" if isinstance(value, float) else value) for name, value in row.items()])
        for row in batches
    )


def differences(database: Path, spark: Any, names: list[str] | None = None) -> dict[str, str]:
    """What is not the same in a DuckDB file and in Spark's catalog, by relation: every mart and `ALSO`, or just `names`."""
    found = {}
    with duckdb.connect(str(database), read_only=True) as connection:
        query = "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
        for name in names or [*(f"marts.{mart}" for (mart,) in connection.execute(query).fetchall()), *ALSO]:
            columns = [column for column, *_ in connection.execute(f"describe {name}").fetchall()]
            if columns != spark.table(name).columns:
                found[name] = f"columns {spark.table(name).columns} on Spark, {columns} on DuckDB"
                continue
            here = rows(connection.execute(f"from {name}").to_arrow_table().to_pylist())
            there = rows(spark.table(name).toArrow().to_pylist())
            if here != there:
                lost, new = here - there, there - here
                found[name] = f"{lost.total()} of {here.total()} rows differ: {next(iter(lost), '')} and {next(iter(new), '')}"
    return found


def session(folder: Path) -> Any:
    """The Spark session over the catalog that a build has left in `folder`."""
    from dbt.adapters.icpspark.connections import IcpSparkCredentials
    from dbt.adapters.icpspark.connections import session as opened

    settings = {
        "spark.master": "local[2]",
        "spark.sql.warehouse.dir": str(folder / "spark"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'spark'}/metastore;create=true",
        "spark.sql.shuffle.partitions": "1",
    }
    return opened(IcpSparkCredentials(schema="main", method="session", server_side_parameters=settings))


def main() -> None:
    """Build, compare and say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, help="A folder of Parquet files; without it, the demo company.")
    parser.add_argument("--master", default="local-cluster[2,1,1024]")
    parser.add_argument("--folder", type=Path, default=ROOT / "target" / "spark", help="Where both builds are left.")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    variables = {"connectors": ["files"], "files_dir": str(given.files)} if given.files else {}
    env = {"ICP_SPARK_MASTER": given.master, "ICP_SPARK_PARTITIONS": "4"}
    for engine in ("duckdb", "spark"):
        began = time.monotonic()
        process = started(["build"], given.folder, engine, variables, **env)
        output = process.communicate()[0]
        done = [line for line in output.splitlines() if "Done. PASS" in line]
        print(f"{engine}: {done[0].split('Done. ')[1] if done else output[-3000:]}, {time.monotonic() - began:.0f} s", flush=True)
        if process.returncode:
            sys.exit(output[-6000:])
    found = differences(given.folder / "icp.duckdb", session(given.folder))
    for name, what in found.items():
        print(f"{name}: {what}")
    sys.exit(
        f"{len(found)} relations differ" if found else print("Every mart, input_rejects and input_dropped_values are equal.")
    )


if __name__ == "__main__":
    main()
