"""`make bench`: what a build costs, beside an older commit and beside a floor, alternating in one run.

    python -m benchmarks.run [--base COMMIT] [--rounds N] [--lines MILLIONS ...] [--only PART ...]

Parts: `demo` (the demo company from a fresh clone, again, learned anew, and parsing), `sql` (the SQL layers beside floor.sql,
which makes the same marts from the same Parquet; that they agree row by row is checked), `learning` (the Python models),
`applying` (segments and scores, beside one scan and join) and `report`. The older commit is a clone that shares this environment.
Ratios are of CPU seconds, which other work on the machine disturbs least. In docs/benchmarks.md the rows that were measured are
replaced.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

import dbt.version
import duckdb

from benchmarks.companies import BENCH, ROOT, company

PAGE = ROOT / "docs" / "benchmarks.md"
HUBSPOT = "\n## HubSpot\n"  # this section is benchmarks/hubspot.py's
BASE = "560df02"
PARTS = ["demo", "sql", "learning", "applying", "report"]
HEADER = ["what", "this commit", "peak memory", "beside", "took", "peak memory", "ratio of CPU seconds", "date"]

# The marts that floor.sql makes too, and what they are made from. `cohort_retention` is of all accounts: there are no segments.
SQL_LAYERS = ["+int_orders__priced", "+int_contracts", "+int_customers", "cohort_retention"]
NO_SEGMENTS = """
create schema if not exists applied;
create or replace table applied.int_accounts__segments (account_id varchar, segment_id varchar);
"""
AGREE = {
    "orders": (
        "intermediate.int_orders__priced",
        "order_id, account_id, order_type, product_bundle, closed_at, net_amount, total_contract_value, margin_amount,"
        " monthly_recurring_revenue",
    ),
    "contracts": (
        "intermediate.int_contracts",
        "order_line_id, order_id, account_id, product_id, renews_order_line_id, mrr, starts_on, ends_on, live_until,"
        " first_live_month, last_live_month",
    ),
    "mrr_movements": (
        "(from intermediate.int_accounts__monthly_activity where movement is not null)",
        "account_id, month, movement, mrr_change, mrr",
    ),
    "customers": (
        "intermediate.int_customers",
        "account_id, cast(order_count as bigint), net_amount, margin_amount, first_order_at, cohort_month,"
        " cast(coalesce(current_mrr, 0) as decimal(18, 4))",
    ),
    "cohorts": (
        "(from marts.cohort_retention where segment_id = 'all')",
        "cohort_month, cast(months_since as bigint), cast(cohort_customers as hugeint), cast(retained_customers as hugeint),"
        " cast(starting_mrr as decimal(18, 4)), cast(kept_mrr as decimal(18, 4)), cast(retained_mrr as decimal(18, 4))",
    ),
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
RENDER = """import json, sys, duckdb
from icp_refinery.report import render
with duckdb.connect(sys.argv[1] + "/icp.duckdb", read_only=True) as marts:
    render(marts, json.load(open(sys.argv[1] + "/manifest.json")))
"""
RUN_SQL = """import sys, duckdb
connection = duckdb.connect(sys.argv[1])
for setting in ("timezone = 'UTC'", "preserve_insertion_order = false", "threads = 2"):
    connection.execute(f"set {setting}")
connection.execute(open(sys.argv[2]).read())
"""


@dataclass(frozen=True)
class Measured:
    """Seconds on the wall, CPU seconds of the process and its children, and the peak memory (bytes) of the largest of them."""

    wall: float
    cpu: float
    peak: int

    def __add__(self, other: "Measured") -> "Measured":
        return Measured(self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak))


@dataclass(frozen=True)
class Project:
    """A checkout, and where its builds are."""

    name: str
    folder: Path
    work: Path

    def dbt(self, *arguments: str, files: Path | None = None, target: str = "target") -> Measured:
        """dbt in the checkout, from its start to its end. `files`: the folder of a simulated company, else the demo company."""
        settings = (
            {"connectors": ["files"], "files_dir": str(files), "publish_untested": True, "publish_over": True} if files else {}
        )
        command = [str(Path(sys.executable).parent / "dbt"), *arguments, "--vars", json.dumps(settings)]
        command += ["--target-path", str(self.work / target), "--log-path", str(self.work / "logs")]
        places = {"ICP_DATABASE": str(self.database), "ICP_PUBLISHED": str(self.work / "published")}
        return run_measured(command, places | {"PYTHONPATH": str(self.folder / "src")}, self.folder)

    def python(self, code: str, *arguments: str) -> Measured:
        """Python code with the checkout's package."""
        return run_measured([sys.executable, "-c", code, *arguments], {"PYTHONPATH": str(self.folder / "src")}, self.folder)

    @property
    def database(self) -> Path:
        return self.work / "build.duckdb"

    def sql(self, sql: str) -> Measured:
        """SQL on the built database, in a process of its own."""
        return run_sql(sql, self.database)

    def node(self, name: str) -> Measured:
        """What a node took in the last run. Its CPU seconds are not known apart: its own seconds stand for them."""
        results = json.loads((self.work / "target" / "run_results.json").read_text())["results"]
        [seconds] = [result["execution_time"] for result in results if result["unique_id"].endswith(f".{name}")]
        return Measured(seconds, seconds, 0)

    def forget(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)


def run_measured(command: list[str], environment: dict[str, str], folder: Path = ROOT) -> Measured:
    """Run a command. Raises SystemExit where it fails."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | environment, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{Path(command[0]).name} failed: see the message above, or dbt's log in {BENCH}")
    return Measured(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def run_sql(sql: str, database: Path) -> Measured:
    script = database.with_suffix(".sql")
    script.write_text(sql)
    return run_measured([sys.executable, "-c", RUN_SQL, str(database), str(script)], {})


def projects(base: str, part: str) -> tuple[Project, Project]:
    """This checkout and a clone of the older commit."""
    clone = BENCH / f"clone_{base}"
    if not clone.exists():
        for command in (["clone", "--quiet", "--shared", str(ROOT), str(clone)], ["-C", str(clone), "checkout", "--quiet", base]):
            subprocess.run(["git", *command], check=True)
    here, before = Project("here", ROOT, BENCH / part / "here"), Project(base, clone, BENCH / part / base)
    here.forget()
    before.forget()
    return here, before


def floor(folder: Path, work: Path) -> Measured:
    """The hand-written script on the files."""
    database = work / "floor.duckdb"
    database.unlink(missing_ok=True)
    return run_sql(
        (Path(__file__).parent / "floor.sql").read_text().replace("__FOLDER__", str(folder).replace("'", "''")), database
    )


def check_agreement(work: Path) -> None:
    """Stop where a row of the floor's marts is not in the build's, or the other way round (by their number and checksum)."""
    with duckdb.connect() as connection:
        connection.execute(
            f"attach '{work / 'build.duckdb'}' as build (read_only); attach '{work / 'floor.duckdb'}' as floor (read_only)"
        )
        for name, (relation, columns) in AGREE.items():
            sums = f"select count(*), bit_xor(hash({columns})) from"
            sums = [
                (connection.execute(f"use {side}"), connection.execute(f"{sums} {of}").fetchone())[1]
                for side, of in (("build", relation), ("floor", name))
            ]
            if sums[0] != sums[1]:
                raise SystemExit(f"the floor's {name} differ from the build's (rows, checksum): {sums[1]} and {sums[0]}")


def middle(rounds: list[Measured]) -> Measured:
    return Measured(*(median(getattr(each, field) for each in rounds) for field in ("wall", "cpu", "peak")))


def alternating(rounds: int, *measured: Callable[[], Measured]) -> list[Measured]:
    """Medians of what is measured in turn."""
    found = [[measure() for measure in measured] for _ in range(rounds)]
    return [middle(list(each)) for each in zip(*found, strict=True)]


def demo(options: argparse.Namespace) -> list[list[str]]:
    """Rows of the demo company: built from a fresh clone and again, parsed cold and warm, and its slowest node."""
    fresh, again, anew, cold, warm, backtest = ([[], []] for _ in range(6))
    for _ in range(options.rounds):
        for n, project in enumerate(projects(options.base, "demo")):
            fresh[n].append(project.dbt("build"))
            backtest[n].append(project.node("learned_backtest"))
            again[n].append(project.dbt("build"))
            anew[n].append(project.dbt("build", "--full-refresh"))
            cold[n].append(project.dbt("parse", "--no-partial-parse"))
            warm[n].append(project.dbt("parse"))
    names = ["demo: build of a fresh clone", "demo: build again, nothing changed", "demo: build again, learned anew"]
    names += ["parse, cold", "parse, warm", "demo: `learned_backtest`"]
    parts = [fresh, again, anew, cold, warm, backtest]
    return [row(name, middle(part[0]), options.base, middle(part[1])) for name, part in zip(names, parts, strict=True)]


def sql(options: argparse.Namespace) -> list[list[str]]:
    """A row for each size: the SQL layers beside the floor, less starting and parsing dbt."""
    rows = []
    for millions in options.lines:
        here, _ = projects(options.base, f"sql_{millions:g}")
        folder, lines = company(millions)

        def build(here: Project = here, folder: Path = folder) -> Measured:
            here.database.unlink(missing_ok=True)
            run_sql(NO_SEGMENTS, here.database)
            here.dbt("parse", files=folder)
            parsing = here.dbt("parse", files=folder)
            built = here.dbt(
                "build",
                "--select",
                *SQL_LAYERS,
                "--exclude",
                "resource_type:test",
                "--threads",
                str(options.threads),
                files=folder,
            )
            return Measured(built.wall - parsing.wall, built.cpu - parsing.cpu, built.peak)

        built, least = alternating(options.rounds, build, lambda here=here, folder=folder: floor(folder, here.work))
        check_agreement(here.work)
        limit = f", `ICP_MEMORY={os.environ['ICP_MEMORY']}`" if "ICP_MEMORY" in os.environ else ""
        rows.append(row(f"SQL layers, {lines:,} order lines{limit}", built, "floor", least))
    return rows


def built_companies(options: argparse.Namespace, beside: bool = True) -> list[tuple[int, list[Project], Path]]:
    """For each size, this checkout with the whole company built, and the older one `beside` it."""
    found = []
    for millions in options.lines:
        folder, _ = company(millions)
        built = [Project("here", ROOT, BENCH / f"whole_{millions:g}" / "here")]
        if beside:
            _, older = projects(options.base, "clone")
            built.append(Project(older.name, older.folder, BENCH / f"whole_{millions:g}" / older.name))
        for project in built:
            if not (project.work / "target" / "run_results.json").exists():
                project.forget()
                project.dbt("build", "--exclude", "resource_type:test", "resource_type:unit_test", files=folder)
        found.append((round(millions * 100_000), built, folder))
    return found


def learning(options: argparse.Namespace) -> list[list[str]]:
    """A row for each size: all Python models but those that learn nothing."""
    rows = []
    for accounts, both, folder in built_companies(options):
        command = ["run", "--full-refresh", "--select", "path:python_models", "--exclude", *NOT_LEARNING]
        here, before = alternating(options.rounds, *(partial(project.dbt, *command, files=folder) for project in both))
        with duckdb.connect(str(both[0].database), read_only=True) as connection:
            [(pursuits,)] = connection.execute("select count(*) from intermediate.int_pursuits where is_sampled").fetchall()
        rows.append(row(f"learning, {pursuits:,} first deals of {accounts:,} accounts", here, options.base, before))
    return rows


def applying(options: argparse.Namespace) -> list[list[str]]:
    """A row for each size: applying what was learned, less a dbt run of one view, beside one scan and join."""
    rows = []
    for accounts, (here,), folder in built_companies(options, beside=False):

        def apply(here: Project = here, folder: Path = folder) -> Measured:
            starting = here.dbt("run", "--select", "int_accounts__in_scope", files=folder)
            applied = here.dbt("run", "--select", *APPLYING, files=folder) + here.sql(APPLYING_TO_ORDERS)
            return Measured(applied.wall - starting.wall, applied.cpu - starting.cpu, applied.peak)

        applied, scanned = alternating(options.rounds, apply, lambda here=here: here.sql(APPLYING_FLOOR))
        rows.append(row(f"applying to {accounts:,} accounts and their orders", applied, "scan and join", scanned))
    return rows


def report(options: argparse.Namespace) -> list[list[str]]:
    """A row for each size: the report of a published state, Python's start and imports included."""
    rows = []
    for accounts, both, _ in built_companies(options):
        states = [str(project.work / "published" / "current") for project in both]
        made = alternating(options.rounds, *(lambda p=p, s=s: p.python(RENDER, s) for p, s in zip(both, states, strict=True)))
        rows.append(row(f"report of {accounts:,} accounts", made[0], options.base, made[1]))
    return rows


def row(what: str, measured: Measured, beside: str, other: Measured) -> list[str]:
    """A row of the table."""
    return [what, *described(measured), f"`{beside}`", *described(other), f"{measured.cpu / other.cpu:.2f}", f"{date.today()}"]


def described(measured: Measured) -> tuple[str, str]:
    return f"{measured.cpu:.1f} s ({measured.wall:.1f} s)", f"{measured.peak / 1e9:.1f} GB" if measured.peak else ""


def write_rows(rows: list[list[str]]) -> None:
    """Replace the rows of docs/benchmarks.md that have the same first cell and commit beside it, or add them below the others."""
    lines = PAGE.read_text().splitlines()
    header = lines.index("| " + " | ".join(HEADER) + " |")
    end = next((n for n in range(header, len(lines)) if not lines[n].startswith("|")), len(lines))
    table = {line.split(" | ")[0]: line for line in lines[header + 2 : end]}
    table |= {f"| {cells[0]}": f"| {' | '.join(cells)} |" for cells in rows}
    PAGE.write_text("\n".join([*lines[: header + 2], *table.values(), *lines[end:]]) + "\n")


def machine() -> str:
    """The machine and the versions that figures depend on."""
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    return (
        f"{os.cpu_count()} cores, {memory} GiB, {platform.system()}, Python {platform.python_version()}, "
        f"DuckDB {duckdb.__version__}, dbt {dbt.version.__version__}"
    )


def main() -> None:
    """Measure the parts, print their rows and write them to docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=BASE, help="the older commit")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is measured, in turn; the median counts")
    parser.add_argument(
        "--lines", type=float, nargs="+", default=[1], help="sizes of the simulated companies, in million order lines"
    )
    parser.add_argument("--threads", type=int, default=2, help="dbt's threads for the SQL layers")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure")
    options = parser.parse_args()
    print(f"{machine()}; CPU seconds (wall clock in brackets)")
    print("| " + " | ".join(HEADER) + " |")
    for part in options.only:
        rows = globals()[part](options)
        print("\n".join(f"| {' | '.join(cells)} |" for cells in rows), flush=True)
        write_rows(rows)


if __name__ == "__main__":
    main()
