"""Over Spark Connect: Python models, whose results may be empty, and a folder of files, with the rows that DuckDB has."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyspark
import pytest
from dbt_common.exceptions import DbtRuntimeError

from compare import rows, started
from conftest import company
from dbt.adapters.icpspark.connections import IcpSparkCredentials, session
from test_companies import one_order

BUILD = ["build", "--exclude", "resource_type:test", "--select", "+int_orders__priced", "+rule_problems"]
TABLES = ["intermediate.int_orders__priced", "learned.rule_problems", "input.input_accounts__checked"]


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a Spark Connect server, and the folder of its tables."""
    pytest.importorskip("grpc")
    folder, home = tmp_path_factory.mktemp("connect"), Path(pyspark.__file__).parent
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(folder / "spark"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'metastore'};create=true",
    }
    command = [str(home / "bin" / "spark-submit"), "--master", "local[2]"]
    command += [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"SPARK_HOME": str(home)})
    try:
        while f":{port}" not in (folder / "log").read_text():
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.2)
        yield f"sc://127.0.0.1:{port}", folder
    finally:
        server.terminate()
        server.wait()


def test_a_build_over_spark_connect_has_the_rows_of_duckdb(remote: tuple[str, Path]) -> None:
    address, folder = remote
    variables = {"connectors": ["files"], "files_dir": str(company(folder / "files", **one_order()))}
    for engine in ("duckdb", "spark"):
        process = started(BUILD, folder, engine, variables, ICP_SPARK_MASTER=address, ICP_SPARK_PARTITIONS="1")
        output = process.communicate()[0]
        assert process.returncode == 0, output
    with duckdb.connect(str(folder / "icp.duckdb"), read_only=True) as database:
        for table in TABLES:
            here = database.sql(f"from {table}")
            columns = ", ".join(here.columns)
            there = database.sql(f"select {columns} from '{folder}/spark/{table.replace('.', '.db/')}/*.parquet'")
            assert rows(there.to_arrow_table().to_pylist()) == rows(here.to_arrow_table().to_pylist()), table


def test_a_server_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbt.adapters.icpspark.connections._session", None)
    given = IcpSparkCredentials(schema="main", method="session", server_side_parameters={"spark.master": "sc://127.0.0.1:9"})
    with pytest.raises(DbtRuntimeError, match=r"No Spark Connect server listens at sc://127\.0\.0\.1:9: "):
        session(given)
