"""One Spark session for all threads of dbt."""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyspark
from dbt.adapters.contracts.connection import Connection, ConnectionState
from dbt.adapters.spark.connections import SparkConnectionManager, SparkCredentials
from dbt.adapters.spark.session import SessionConnectionWrapper
from dbt_common.exceptions import DbtRuntimeError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

LEAST_JAVA = 17
# What the project's SQL rests on, whatever a profile says.
REQUIRED = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    # A folder's name is data only as it stands there.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
DEFAULTS = {
    "spark.sql.sources.default": "parquet",
    "spark.sql.legacy.createHiveTableByDefault": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": "-Dderby.stream.error.file=/dev/null",
    "spark.ui.showConsoleProgress": "false",
}
_LOCK = threading.Lock()
_session: SparkSession | None = None


@dataclass
class IcpSparkCredentials(SparkCredentials):
    """As dbt-spark's; `server_side_parameters` are settings of the session, `spark.master` among them.

    Where that is a Spark Connect server (`sc://host:port`), those that a session cannot change are the server's.
    """

    host: str | None = "here"

    @property
    def type(self) -> str:
        return "icpspark"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.server_side_parameters = {
            name: str(value) for name, value in (DEFAULTS | self.server_side_parameters | REQUIRED).items()
        }

    @property
    def remote(self) -> str | None:
        """The address of the Spark Connect server, if there is one."""
        master = self.server_side_parameters.get("spark.master", "")
        return master if master.startswith("sc://") else None


class Cursor:
    """What dbt-spark's wrapper asks of a cursor, over the session."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._frame: Any = None

    def execute(self, sql: str) -> None:
        try:
            self._frame = self._spark.sql(sql)
        except PySparkException as problem:
            raise DbtRuntimeError(said(problem)) from problem

    def fetchall(self) -> list[Any]:
        try:
            return self._frame.collect()
        except PySparkException as problem:
            raise DbtRuntimeError(said(problem)) from problem

    @property
    def description(self) -> list[tuple[Any, ...]]:
        fields = self._frame.schema.fields if self._frame is not None else []
        return [(field.name, field.dataType.simpleString(), None, None, None, None, field.nullable) for field in fields]

    def close(self) -> None:
        self._frame = None


class Handle:
    """The session as a connection."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    def cursor(self) -> Cursor:
        return Cursor(self._spark)

    def close(self) -> None:
        """The session lives as long as the process."""


class IcpSparkConnectionManager(SparkConnectionManager):
    TYPE = "icpspark"

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Raises DbtRuntimeError where Java is missing or too old."""
        if connection.state != ConnectionState.OPEN:
            connection.handle = SessionConnectionWrapper(Handle(session(connection.credentials)))
            connection.state = ConnectionState.OPEN
        return connection


def session(credentials: IcpSparkCredentials) -> SparkSession:
    """The process's session, made with the profile's settings at the first call."""
    global _session
    with _LOCK:
        if _session is not None:
            return _session
        _session = _connected(credentials) if credentials.remote else _started(credentials)
        return _session


def _started(credentials: IcpSparkCredentials) -> SparkSession:
    """A session whose driver is this process."""
    check_java()
    # A cluster of processes on this machine starts its executors from these.
    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("icp-refinery").enableHiveSupport()
    for name, value in credentials.server_side_parameters.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    # dbt says what failed; this would say it again, with Java's call stack.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    return spark


def _connected(credentials: IcpSparkCredentials) -> SparkSession:
    """A session of a Spark Connect server. Raises DbtRuntimeError where none listens, or what speaks with it is not installed."""
    place = urlsplit(credentials.remote)
    try:
        socket.create_connection((place.hostname, place.port or 15002), timeout=30).close()
        spark = SparkSession.builder.remote(credentials.remote).getOrCreate()
    except ImportError:
        raise DbtRuntimeError("Spark Connect needs more packages: pip install 'icp-refinery[spark-connect]'.") from None
    except OSError as problem:  # Spark's own client would try again for ten minutes
        raise DbtRuntimeError(f"No Spark Connect server listens at {credentials.remote}: {problem}.") from None
    for name, value in credentials.server_side_parameters.items():
        if spark.conf.isModifiable(name):
            spark.conf.set(name, value)
    return spark


def check_java() -> None:
    """Raises DbtRuntimeError, with one sentence, where there is no Java that Spark 4 runs on."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    needs = f"Spark needs Java {LEAST_JAVA} or newer"
    if java is None:
        raise DbtRuntimeError(f"{needs}, which is not on this machine: install it (Debian: openjdk-17-jre-headless).")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    if found is None or int(found[1]) < LEAST_JAVA:
        raise DbtRuntimeError(f"{needs}; {java} is {found[1] if found else 'of an unknown version'}: set JAVA_HOME to another.")


def said(problem: PySparkException) -> str:
    """What Spark says of a problem, without Java's call stack and the plan."""
    text = str(problem).split("\n\nJVM stacktrace")[0]
    return re.split(r";\n'|\n\s+at ", text)[0].strip()
