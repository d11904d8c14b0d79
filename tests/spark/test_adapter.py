"""What dbt-spark would leave out or write wrongly, and what Python models are given: a small project on both engines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from compare import ROOT
from conftest import ENGINES

Built = dict[str, tuple[str, dict[str, str]]]

PROJECT = {
    "dbt_project.yml": """
name: small
profile: small
models: {small: {+materialized: table}}
""",
    "profiles.yml": """
small:
  target: spark
  outputs:
    duckdb: {type: duckdb, path: "{{ env_var('PLACE') }}/small.duckdb", schema: main}
    spark:
      type: icpspark
      method: session
      schema: main
      threads: 2
      server_side_parameters:
        spark.master: local[1]
        spark.sql.shuffle.partitions: "1"
        spark.sql.warehouse.dir: "{{ env_var('PLACE') }}/spark"
        spark.hadoop.javax.jdo.option.ConnectionURL: "jdbc:derby:;databaseName={{ env_var('PLACE') }}/spark/metastore;create=true"
""",
    "seeds/given.csv": 'id,said,day\n1,"it\'s ""so"" \\ here",2024-01-31\n2,,\n',
    "models/seen.sql": "{{ config(materialized='view') }} select * from {{ ref('given') }} where id = 2",
    "models/kept.sql": "select 1 as x",
    "models/contracted.sql": "select 1 as x",
    "models/broken.sql": "select x from (values (1), (2), (null)) as t (x)",
    "models/models.yml": """
models:
  - name: contracted
    config: {contract: {enforced: true}}
    columns: [{name: x, data_type: int, constraints: [{type: not_null}, {type: check, expression: "x < 2"}]}]
  - name: broken
    config: {contract: {enforced: true}}
    columns: [{name: x, data_type: int, constraints: [{type: check, expression: "x < 2"}]}]
  - name: learned
    config: {pre_hook: {sql: "{{ said('hooked', 'it is so') }}", transaction: false}, post_hook: {sql: "{{ tell() }}", transaction: false}}
""",
    "models/learned.py": """
def model(dbt, session):
    import pandas as pd

    assert dbt.ref("kept").fetchall() == [(1,)]
    [(hooked,)] = session.execute("select getvariable('hooked')").fetchall()
    session.execute("set variable answer = 42")
    given = dbt.ref("given").order("id").fetchall()
    seen = dbt.ref("seen").fetchall()
    return pd.DataFrame({"what": ["hooked", "given", "seen"], "said": [hooked, repr(given), repr(seen)]})
""",
    "macros/variables.sql": """
{% macro said(name, value) %}{{ "set icp." ~ name ~ "=" ~ value if target.type == 'icpspark' else "set variable " ~ name ~ " = '" ~ value ~ "'" }}{% endmacro %}

{% macro tell() %}
    {%- set asked = "set icp.answer" if target.type == 'icpspark' else "select 'answer', getvariable('answer')" -%}
    {%- if execute -%} {%- do log('the answer is ' ~ run_query(asked).rows[0][1], info=true) -%} {%- endif -%}
{% endmacro %}
""",
}
SHOWN = "select what, said from main.learned order by what"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """By engine, what dbt printed, and what the Python model saw; dbt runs twice, the second time over the first."""
    folder = tmp_path_factory.mktemp("small")
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    program = f"""
import duckdb, json
from dbt.cli.main import dbtRunner
from pyspark.sql import SparkSession
for engine in ("duckdb", "spark"):
    given = ["--no-use-colors", "--target", engine]
    for time in range(2):
        assert dbtRunner().invoke(["build", *given, "--exclude", "broken"]).success
    assert not dbtRunner().invoke(["run", *given, "--select", "broken"]).success
    if engine == "duckdb":
        with duckdb.connect("small.duckdb") as database:
            rows = database.execute("{SHOWN}").fetchall()
    else:
        rows = SparkSession.builder.getOrCreate().sql("{SHOWN}").collect()
    print("SHOWN " + json.dumps(dict(map(tuple, rows))))
"""
    env = os.environ | {"PLACE": str(folder), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    ran = subprocess.run([sys.executable, "-c", program], cwd=folder, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    printed, found = re.split(r"SHOWN .*\n", ran.stdout), re.findall(r"SHOWN (.*)", ran.stdout)
    return {engine: (printed[place], json.loads(found[place])) for place, engine in enumerate(ENGINES)}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hook_outside_of_a_transaction_is_run(built: Built, engine: str) -> None:
    assert built[engine][1]["hooked"] == "it is so"


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_cell_of_a_seed_is_null_and_a_quote_a_quote(built: Built, engine: str) -> None:
    assert built[engine][1]["given"] == repr([(1, 'it\'s "so" \\ here', date(2024, 1, 31)), (2, None, None)])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_python_model_reads_a_view(built: Built, engine: str) -> None:
    assert built[engine][1]["seen"] == repr([(2, None, None)])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_python_model_hands_its_variables_to_hooks(built: Built, engine: str) -> None:
    assert "the answer is 42" in built[engine][0]


def test_a_contract_is_held(built: Built) -> None:
    assert "main.broken breaks the constraint x < 2 of its contract in 1 rows." in built["spark"][0]
    assert "CHECK constraint failed" in built["duckdb"][0]


def test_a_missing_java_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dbt_common.exceptions import DbtRuntimeError

    from dbt.adapters.icpspark.connections import check_java

    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(
        DbtRuntimeError, match=r"Spark needs Java 17 or newer, which is not on this machine: install it \(Debian: .*\)\."
    ):
        check_java()
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    java.chmod(0o755)
    with pytest.raises(DbtRuntimeError, match="is 8: set JAVA_HOME to another"):
        check_java()


def test_the_adapter_says_its_version() -> None:
    """dbt asks for it in every run, by a module's name that it makes of the class's."""
    from dbt.adapters.icpspark.impl import IcpSparkAdapter

    class Config:
        pass

    assert IcpSparkAdapter.get_adapter_run_info(Config()).adapter_version


def test_the_target_duckdb_imports_nothing_of_spark(tmp_path: Path) -> None:
    program = """
import sys
from dbt.cli.main import dbtRunner
assert dbtRunner().invoke(["--quiet", "parse", "--no-write-json"]).success
import icp_refinery.cli
found = [name for name in sys.modules if name.split(".")[0] in ("pyspark", "py4j") or "icpspark" in name]
sys.exit(str(found) if found else 0)
"""
    env: dict[str, Any] = os.environ | {"DBT_TARGET_PATH": str(tmp_path), "DBT_LOG_PATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
