"""Tests of the target `spark`: one Spark session, and expressions that dbt compiles once for each engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from compare import ROOT, command, session

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GX_ANALYTICS_ENABLED": "false"}
# Java and Spark for companies of a few rows: most of the time would go into compiling.
os.environ |= {
    # A machine need not know its own name.
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_CONF_DIR": str(ROOT / "tests" / "spark" / "conf"),
    "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC",
}
ENGINES = ("duckdb", "spark")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tests' catalog and databases."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def spark(work: Path) -> Any:
    return session(work)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each result that Python has taken from Spark."""
    from pyspark.sql.classic.dataframe import DataFrame

    counts: list[int] = []
    to_arrow, collect = DataFrame.toArrow, DataFrame.collect

    def counted(take: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def taken(frame: Any) -> Any:
            rows = take(frame)
            counts.append(len(rows))
            return rows

        return taken

    monkeypatch.setattr(DataFrame, "toArrow", counted(to_arrow))
    monkeypatch.setattr(DataFrame, "collect", counted(collect))
    return counts


@pytest.fixture(scope="session")
def on_spark(work: Path, spark: Any) -> Callable[..., list[str]]:
    """A function from dbt's arguments and variables to what failed, as dbt says it: dbt in this process, over its session."""
    from dbt.cli.main import dbtRunner

    def run(arguments: list[str], variables: dict[str, Any]) -> list[str]:
        arguments, environment = command(["--quiet", *arguments], work, "spark", variables)
        os.environ |= environment | {"ICP_SPARK_MASTER": "local[2]"}
        ran = dbtRunner().invoke(arguments)
        if ran.exception:
            return [str(ran.exception)]
        return [f"{result.node.name}: {result.message}" for result in ran.result if result.status in ("error", "fail")]

    return run


@pytest.fixture(scope="session")
def compiled(work: Path, spark: Any) -> Callable[[str, str], str]:
    """A function from an engine and a query with macros to SQL: dbt parses the project once for each engine."""
    from dbt.cli.main import dbtRunner

    os.environ |= {
        "ICP_DATABASE": str(work / "icp.duckdb"),
        "ICP_SPARK_WAREHOUSE": str(work / "spark"),
        "ICP_SPARK_MASTER": "local[2]",
    }
    places = {}
    for engine in ENGINES:
        folder = ["--target-path", str(work / f"target_{engine}"), "--log-path", str(work / "logs")]
        places[engine] = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--target", engine, *folder]
    manifests: dict[str, Any] = {}

    def compile(engine: str, query: str) -> str:
        if engine not in manifests:
            manifests[engine] = dbtRunner().invoke(["--quiet", "parse", "--no-write-json", *places[engine]]).result
        command = ["--quiet", "--no-populate-cache", "compile", "--no-write-json", "--no-introspect", "--inline", query]
        ran = dbtRunner(manifest=manifests[engine]).invoke([*command, *places[engine]])
        assert ran.success, ran.exception or [result.message for result in ran.result]
        return ran.result.results[0].node.compiled_code

    return compile


@pytest.fixture(scope="session")
def asked(compiled: Callable[[str, str], str], spark: Any) -> Callable[..., list[list[dict[str, Any]]]]:
    """A function from an engine and queries with macros to the rows of each; they are compiled together, and run one by one."""
    database = duckdb.connect()
    database.execute("set TimeZone = 'UTC'")

    def ask(engine: str, *queries: str) -> list[list[dict[str, Any]]]:
        ask_one = database.execute if engine == "duckdb" else spark.sql
        found = []
        for sql in compiled(engine, "\n-- next\n".join(queries)).split("\n-- next\n"):
            answer = ask_one(sql)
            found.append((answer.to_arrow_table() if engine == "duckdb" else answer.toArrow()).to_pylist())
        return found

    return ask


def company(folder: Path, **entities: Any) -> Path:
    """A folder of Parquet files, every field a text: rows by entity, each row a dictionary."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as database:
        for entity, rows in entities.items():
            names = list(dict.fromkeys(name for row in rows for name in row))
            listed = folder.parent / f"{entity}.json"
            listed.write_text(json.dumps([{name: row.get(name) for name in names} for row in rows]))
            texts = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in names) + "}"
            database.execute(f"copy (from read_json('{listed}', columns = {texts})) to '{folder / entity}.parquet'")
    return folder
