"""What the SQL layers cost on Spark: `python -m benchmarks.spark [--lines MILLIONS ...] [--copies N] [--master MASTER]`.

The company and the models are those of `benchmarks.run`; dbt builds one model after the other, so that what Spark logs of its
tasks belongs to the model that was being built. Prints a row per layer: time, CPU seconds of its
tasks (which other work on the machine disturbs least), bytes shuffled, bytes spilled to disk; and the peak memory of the driver
(dbt's process and its Java). Needs the environment of `make spark`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.companies import BENCH, ROOT, company
from benchmarks.run import SQL_LAYERS

LAYERS = ["staging", "input", "intermediate", "marts"]


def settings(folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """Of the session: the profile's, with a log of what tasks did. Two executors of `local-cluster[2,1,2048]` have 2 GiB each."""
    return {
        "spark.master": options.master,
        "spark.driver.memory": f"{options.driver}g",
        "spark.sql.shuffle.partitions": str(options.partitions),
        "spark.sql.warehouse.dir": str(folder / "spark"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'spark'}/metastore;create=true",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": f"file://{folder / 'events'}",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }


def build(folder: Path, files: Path, options: argparse.Namespace) -> dict[str, float]:
    """Build in this process; its peak memory and its Java's, in bytes."""
    from dbt.cli.main import dbtRunner

    from dbt.adapters.icpspark.connections import IcpSparkCredentials, session

    (folder / "events").mkdir(parents=True, exist_ok=True)
    given = IcpSparkCredentials(schema="main", method="session", server_side_parameters=settings(folder, options))
    spark = session(given)
    # Without segments, as in benchmarks.run.
    spark.sql("create schema if not exists applied")
    spark.sql("create table if not exists applied.int_accounts__segments (account_id string, segment_id string) using parquet")
    os.environ["ICP_SPARK_WAREHOUSE"] = str(folder / "spark")
    arguments = ["build", "--target", "spark", "--threads", "1", "--select", *SQL_LAYERS, "--exclude", "resource_type:test"]
    arguments += ["--vars", json.dumps({"connectors": ["files"], "files_dir": str(files)})]
    arguments += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    arguments += ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
    ran = dbtRunner().invoke(arguments)
    if not ran.success:
        raise SystemExit(str(ran.exception) if ran.exception else f"dbt failed: see {folder / 'logs'}")
    peaks = {"python": peak("self"), "java": peak(spark.sparkContext._gateway.proc.pid)}
    spark.stop()
    return peaks


def peak(process: int | str) -> int:
    """The most memory that a process has held, in bytes. (getrusage's would be its parent's too, where that held more.)"""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def layer_of(node: dict[str, Any]) -> str:
    path = node["original_file_path"].split("/")
    return path[1] if path[0] == "models" else path[0]


def by_layer(folder: Path) -> dict[str, dict[str, float]]:
    """Of each layer the seconds of its models, and of its tasks the CPU seconds and the bytes shuffled and spilled."""
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    nodes = json.loads((folder / "target" / "manifest.json").read_text())["nodes"]
    spans = []
    for result in results:
        if result["unique_id"].startswith("model.") and result["timing"]:
            start, end = (seconds(result["timing"][place][at]) for place, at in ((0, "started_at"), (-1, "completed_at")))
            spans.append((start, end, layer_of(nodes[result["unique_id"]])))
    figures: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for start, end, layer in spans:
        figures[layer]["seconds"] += end - start
        figures[layer]["models"] += 1
    [log] = (folder / "events").iterdir()
    with log.open() as lines:
        for event in (json.loads(line) for line in lines if line.startswith('{"Event":"SparkListenerTaskEnd"')):
            done = event["Task Info"]["Finish Time"] / 1000
            layer = next((layer for start, end, layer in spans if start <= done <= end), "between")
            metrics = event.get("Task Metrics") or {}
            figures[layer]["shuffled"] += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
            figures[layer]["spilled"] += metrics.get("Disk Bytes Spilled", 0)
            figures[layer]["cpu"] += metrics.get("Executor CPU Time", 0) / 1e9
            figures[layer]["tasks"] += 1
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=float, nargs="+", default=[1.0], help="sizes, in millions of order lines")
    parser.add_argument("--copies", type=int, default=1, help="how many companies of that size")
    parser.add_argument("--partitions", type=int, default=16, help="of a shuffle")
    parser.add_argument("--master", default="local-cluster[2,1,2048]")
    parser.add_argument("--driver", type=int, default=1, help="heap of the driver, in gigabytes")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        files, lines = company(options.lines[0], options.copies)
        folder = BENCH / f"spark_{lines}"
        peaks = build(folder, files, options)
        (folder / "peaks.json").write_text(json.dumps(peaks))
        return
    print("| order lines | layer | models | time | CPU of tasks | shuffled | spilled |\n|---|---|---|---|---|---|---|")
    for millions in options.lines:
        lines = company(millions, options.copies)[1]
        folder = BENCH / f"spark_{lines}"
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "benchmarks.spark", "--here", "--lines", str(millions), "--copies", str(options.copies)]
        began = time.monotonic()
        with (BENCH / f"spark_{lines}.log").open("w") as log:
            command += ["--partitions", str(options.partitions), "--master", options.master, "--driver", str(options.driver)]
            subprocess.run(command, check=True, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        took = time.monotonic() - began
        figures = by_layer(folder)
        for layer in sorted(figures, key=lambda layer: (*LAYERS, layer).index(layer)):
            of = figures[layer]
            cells = [
                *(f"{of[name]:.0f} s" for name in ("seconds", "cpu")),
                *(f"{of[name] / 1e9:.2f} GB" for name in ("shuffled", "spilled")),
            ]
            print(f"| {lines:,} | {layer} | {of['models']:.0f} | {' | '.join(cells)} |")
        peaks = json.loads((folder / "peaks.json").read_text())
        memory = f"{peaks['python'] / 1e9:.2f} GB of dbt and {peaks['java'] / 1e9:.2f} GB of Java"
        print(f"{lines:,} lines: {took:.0f} s in all; driver {memory}", flush=True)


if __name__ == "__main__":
    main()
