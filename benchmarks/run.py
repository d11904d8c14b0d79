"""Time and memory of a build at 1 and 10 million order lines, beside a floor in the same run.

The floor (floor.sql) makes customers, MRR movements and cohorts from the same Parquet with no checks. Learning, and applying
what was learned, are then run once more by themselves on the built database, the latter beside a floor of its own.
`make bench` prints the figures and writes them to docs/benchmarks.md. The worlds are simulated once, into target/bench.
"""

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

from icp_refinery.simulate import MONTHS, SEED, write_world

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "target" / "bench"
PAGE = ROOT / "docs" / "benchmarks.md"
HUBSPOT = "\n## HubSpot\n"  # this section is benchmarks/hubspot.py's
SIZES = {"1 million": 100_000, "10 million": 1_000_000}
LINES_PER_ACCOUNT = 10
FLOOR_TABLES = {
    "customers": "fct_customers",
    "mrr_movements": "fct_mrr_movements",
    "cohorts": "cohort_retention where segment_id = 'all'",
}

NOT_LEARNING = ["expectation_results", "published_marts", "rule_problems"]
APPLYING = [
    "int_accounts__segments_by_version",
    "int_accounts__scorecard_conditions",
    "int_accounts__fit_scores",
    "int_customers__value_clusters",
]
# To orders, as fct_orders does beside all else that it does.
APPLYING_TO_ORDERS = """
create or replace table placed as
select orders.order_id, segments.segment_id
from intermediate.int_orders as orders
left join applied.int_accounts__segments as segments using (account_id);
"""
# One scan of what applying reads, joined by account, and a row written for each account and order.
APPLYING_FLOOR = """
create or replace table floor as
select account_id, count(attribute) as traits, max(value) as value, max(number) as number, any_value(net_amount) as net_amount
from (
    select distinct resolved_account_id as account_id from intermediate.int_accounts__resolved where not is_excluded
) as accounts
left join intermediate.int_accounts__traits as traits using (account_id)
left join intermediate.int_customers as customers using (account_id)
group by account_id;

create or replace table floor_of_orders as
select orders.order_id, customers.net_amount
from intermediate.int_orders as orders
left join intermediate.int_customers as customers using (account_id);
"""


@dataclass
class Measured:
    """Seconds and peak memory (bytes) of a process, and seconds by layer where it has layers."""

    seconds: float
    peak_bytes: int
    layers: dict[str, float]


def run_measured(command: list[str], environment: dict[str, str], folder: Path = ROOT) -> tuple[float, int]:
    """Runs a command; seconds and the peak resident memory of its largest process, in bytes."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | environment, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{Path(command[0]).name} failed: see the message above")
    return time.monotonic() - start, usage.ru_maxrss * 1024


def build(folder: Path, work: Path) -> Measured:
    """`dbt build` on a folder, without tests, into an empty database."""
    (work / "build.duckdb").unlink(missing_ok=True)
    return run_dbt(folder, work, ["build", "--exclude", "resource_type:test", "resource_type:unit_test"])


def run_dbt(folder: Path, work: Path, arguments: list[str]) -> Measured:
    """dbt on a folder. The seconds are those of the models; starting dbt and parsing are left out."""
    settings = json.dumps({"connectors": ["files"], "files_dir": str(folder)})
    command = [str(Path(sys.executable).parent / "dbt"), *arguments, "--vars", settings]
    command += ["--target-path", str(work / "dbt"), "--log-path", str(work / "logs")]
    _, peak = run_measured(command, {"ICP_DATABASE": str(work / "build.duckdb")})
    results = json.loads((work / "dbt" / "run_results.json").read_text())["results"]
    nodes = json.loads((work / "dbt" / "manifest.json").read_text())["nodes"]
    layers: dict[str, float] = {}
    spans = []
    for result in results:
        if not result["unique_id"].startswith("model."):
            continue
        layer = nodes[result["unique_id"]]["schema"]
        layers[layer] = layers.get(layer, 0) + result["execution_time"]
        spans += [timing for timing in result["timing"] if timing["name"] == "execute"]
    started = min(span["started_at"] for span in spans)
    ended = max(span["completed_at"] for span in spans)
    return Measured(_seconds_between(started, ended), peak, layers)


def _seconds_between(start: str, end: str) -> float:
    query = "select epoch(cast($2 as timestamptz)) - epoch(cast($1 as timestamptz))"
    return duckdb.execute(query, [start, end]).fetchone()[0]


def floor(folder: Path, work: Path) -> Measured:
    """The hand-written script on the files, in a process of its own."""
    database = work / "floor.duckdb"
    database.unlink(missing_ok=True)
    quoted = str(folder).replace("'", "''")
    return run_script((Path(__file__).parent / "floor.sql").read_text().replace("__FOLDER__", quoted), database, work)


def run_script(sql: str, database: Path, work: Path) -> Measured:
    """SQL on a database, in a process of its own."""
    script = work / "script.sql"
    script.write_text(sql)
    code = """import sys, duckdb
connection = duckdb.connect(sys.argv[1])
for setting in ("timezone = 'UTC'", "preserve_insertion_order = false", "threads = 2"):
    connection.execute(f"set {setting}")
connection.execute(open(sys.argv[2]).read())
"""
    seconds, peak = run_measured([sys.executable, "-c", code, str(database), str(script)], {})
    return Measured(seconds, peak, {})


def check_same_marts(work: Path) -> None:
    """Stops where the floor did other work than the build: rows and totals of the three marts must agree."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{work / 'build.duckdb'}' as build (read_only)")
        connection.execute(f"attach '{work / 'floor.duckdb'}' as floor (read_only)")
        totals = {
            "customers": "count(*), sum(net_amount), sum(current_mrr)",
            "mrr_movements": "count(*), sum(mrr_change), count(distinct account_id)",
            "cohorts": "count(*), sum(retained_customers), sum(retained_mrr)",
        }
        for name, mart in FLOOR_TABLES.items():
            ours = connection.execute(f"select {totals[name]} from build.marts.{mart}").fetchone()
            theirs = connection.execute(f"select {totals[name]} from floor.{name}").fetchone()
            if any(abs(float(a) - float(b)) > 1e-6 * abs(float(b)) for a, b in zip(ours, theirs, strict=True)):
                raise SystemExit(f"the floor's {name} differ from the build's: {theirs} and {ours}")


def main() -> None:
    """Simulates the worlds, measures the build and the floor on each, prints and writes the figures."""
    rows, learning = [], []
    for name, accounts in SIZES.items():
        work = BENCH / name.replace(" ", "_")
        folder = work / "files"
        if not (folder / "order_lines.parquet").exists():
            folder.mkdir(parents=True, exist_ok=True)
            print(f"simulating {name} order lines", flush=True)
            write_world(folder, accounts, MONTHS, SEED, lines_per_account=LINES_PER_ACCOUNT)
        lines = duckdb.execute(f"select count(*) from '{folder / 'order_lines.parquet'}'").fetchone()[0]
        print(f"{lines:,} order lines: building", flush=True)
        built, least = build(folder, work), floor(folder, work)
        check_same_marts(work)
        learned = run_dbt(folder, work, ["run", "--select", "path:python_models", "--exclude", *NOT_LEARNING])
        applied = run_dbt(folder, work, ["run", "--select", *APPLYING])
        placed = run_script(APPLYING_TO_ORDERS, work / "build.duckdb", work)
        applied = Measured(applied.seconds + placed.seconds, max(applied.peak_bytes, placed.peak_bytes), {})
        scanned = run_script(APPLYING_FLOOR, work / "build.duckdb", work)
        with duckdb.connect(str(work / "build.duckdb"), read_only=True) as connection:
            pursuits = connection.execute("select count(*) from intermediate.int_pursuits where is_sampled").fetchone()[0]
        rows.append((lines, built, least))
        learning.append((accounts, pursuits, learned, applied, scanned))
    report = write_report(rows, learning)
    print(report)


def write_report(
    rows: list[tuple[int, Measured, Measured]], learning: list[tuple[int, int, Measured, Measured, Measured]]
) -> str:
    """The figures as Markdown, also written to docs/benchmarks.md."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`: one build and the floor beside it, in the same run, on the machine named below. The floor is",
        "one hand-written DuckDB script (`benchmarks/floor.sql`) that makes customers, MRR movements and cohorts from the same",
        "Parquet with no checks; that its marts agree with the build's is checked each time. The build also checks every row,",
        "makes all other marts, reads the traits and learns (at most 100,000 pursuits). Its time is from the start",
        "of its first model to the end of its last one; starting and parsing dbt takes some 5 s more at any size. Memory is the",
        "peak of the process.",
        "",
        f"Machine: {os.cpu_count()} cores, {_memory_gib()} GiB, {platform.system()}, Python {platform.python_version()},"
        f" DuckDB {duckdb.__version__}.",
        "",
        "| order lines | build | lines per second | peak memory | floor | its peak memory | build / floor |",
        "|---|---|---|---|---|---|---|",
    ]
    for count, built, least in rows:
        lines.append(
            f"| {count:,} | {built.seconds:.1f} s | {count / built.seconds:,.0f} | {built.peak_bytes / 1e9:.1f} GB"
            f" | {least.seconds:.1f} s | {least.peak_bytes / 1e9:.1f} GB | {built.seconds / least.seconds:.1f} |"
        )
    layers = list(rows[0][1].layers)
    lines += [
        "",
        "Seconds by layer (two models run at a time, so that they add up to more than the whole):",
        "",
    ]
    lines += [f"| order lines | {' | '.join(layers)} |", "|---|" + "---|" * len(layers)]
    for count, built, _ in rows:
        lines.append(f"| {count:,} | {' | '.join(f'{built.layers[layer]:.1f}' for layer in layers)} |")
    lines += [
        "",
        "Learning (all Python models: segments, scorecard, calibration, clusters, effects, seasonality, review, and the",
        "backtest, which learns at eight past dates) and applying what was learned to every account (segments, scores, value",
        "clusters) and order (segments), each run once more by itself. The floor is one scan of what applying reads (accounts,",
        "traits, customers, orders), joined by account and written; starting Python, some 0.3 s, is in both. Two models run at a",
        "time.",
        "",
        "| accounts | pursuits learned from | learning | peak memory | applying | peak memory | floor | applying / floor |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for accounts, pursuits, learned, applied, scanned in learning:
        lines.append(
            f"| {accounts:,} | {pursuits:,} | {learned.seconds:.1f} s | {learned.peak_bytes / 1e9:.1f} GB"
            f" | {applied.seconds:.1f} s | {applied.peak_bytes / 1e9:.1f} GB | {scanned.seconds:.1f} s"
            f" | {applied.seconds / scanned.seconds:.1f} |"
        )
    report = "\n".join(lines) + "\n"
    PAGE.write_text(report + "".join(PAGE.read_text().partition(HUBSPOT)[1:]))
    return report


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


if __name__ == "__main__":
    main()
