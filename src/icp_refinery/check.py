"""Look at a folder before any build: what is there, what will be rejected, what the marts cannot say."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from icp_refinery.input_folder import Column, InputFolder, look_at, read_contract
from icp_refinery.project import project_directory

# The number of orders and lines from which MRR can follow.
WITH_A_TERM = """
    select
        (select count(*) from input.input_orders where term_months is not null or ends_on is not null)
        + (
            select count(*)
            from input.input_order_lines
            where term_months is not null or ends_on is not null or line_type = 'recurring'
        )
"""

# What a value has to be, by the contract's type of its column.
FORMS = {
    "date": "a date such as 2024-01-31",
    "timestamp": "a date or time such as 2024-01-31 or 2024-01-31T10:00:00Z",
    "integer": "a whole number such as 250",
    "amount": "a number such as 1234.56",
    "number": "a number such as 1234.56",
    "rate": "a number such as 1.0845",
    "boolean": "true or false",
}
# What to do about a broken rule that is not about the form of a value.
REMEDIES = {
    "missing_value": "fill it in",
    "implausible_date": "a date from 1900 to 2099",
    "exact_duplicate": "nothing to do: the row counts once",
    "conflicting_duplicate": "keep one version of the row",
    "unknown_account": "add the account to accounts, or see why it was rejected",
    "unknown_contact": "add the contact to contacts, or see why it was rejected",
    "unknown_opportunity": "add the opportunity to opportunities, or see why it was rejected",
    "unknown_order": "add the order to orders, or see why it was rejected",
    "unknown_campaign": "add the campaign to campaigns",
    "unknown_currency": "add a rate that is valid on the date to exchange_rates",
    "ends_before_start": "correct one of the two dates",
    "term_mismatch": "correct the dates or the term: they differ by more than a month",
    "won_not_closed": "a won opportunity is closed",
    "rejected_line": "mend the line: an order with a rejected line is rejected whole",
    "order_rejected": "mend the order or its other lines",
    "malformed_line": "a line needs as many fields as the header, in UTF-8",
}
# Words in a value that tell which of the allowed ones is meant.
MEANINGS = {
    "new_business": "new|initial|first",
    "renewal": "renew",
    "expansion": "expan|upsell|up-sell|cross|upgrade|add-?on|existing",
    "closed_won": "won|signed|paid|complete",
    "lost": "lost",
    "cancelled": "cancel",
    "open": "open|pending|draft|progress",
    "recurring": "recur|subscr|monthly|annual|licen",
    "one_time": "one.?time|one.?off|setup|service|hardware",
    "add_on": "add",
    "service": "serv|training|consult",
    "core": "core|platform|bundle",
}


class CheckError(Exception):
    """The folder cannot be built from at all; the message says why, a sentence per line."""


@dataclass(frozen=True)
class BrokenRule:
    """A rule that rows of an entity break in a column: how many, the most frequent values, and what to do."""

    entity: str
    rule: str
    column: str | None
    rows: int
    values: tuple[tuple[str, int], ...]
    remedy: str


@dataclass
class FolderReport:
    """What `check_folder` found.

    `entities`: (entity, file, rows read, rows rejected); `rejects` and `dropped`: rules that cost rows, and values;
    `inferred`: sentences; `failures`: why a build would be of no use.
    """

    folder: InputFolder
    entities: list[tuple[str, str, int, int]]
    rejects: list[BrokenRule]
    dropped: list[BrokenRule]
    inferred: list[str]
    first_order_on: str | None
    as_of: str | None
    failures: list[str]
    cannot_say: list[str] = field(default_factory=list)


def check_folder(folder: Path, reporting_currency: str = "USD") -> FolderReport:
    """Look at the headers in `folder`, then run the input layer on it in a throw-away database and read what it found.

    Raises CheckError where the folder cannot be built from.
    """
    folder = folder.resolve()
    found = look_at(folder)
    if found.problems:
        raise CheckError("\n".join(found.problems))
    paths = {path for file in found.files.values() for path in file.paths}
    size = sum(path.stat().st_size for path in paths)
    print(f"Reading every row of {len(paths)} files ({size / 1e6:,.1f} MB) ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch) / "check.duckdb"
        settings = {"connectors": ["files"], "files_dir": str(folder), "reporting_currency": reporting_currency}
        run_input_layer(settings, scratch, database)
        return read_report(database, found)


INPUT_LAYER = ("+path:models/input", "+int_as_of", "+quality_inferences")


def run_input_layer(settings: dict[str, Any], scratch: str, database: Path, select: Sequence[str] = INPUT_LAYER) -> None:
    """Build staging and input, or `select` of them, in `database`, with dbt's variables `settings`.

    Raises CheckError with the sentence of a stop.
    """
    project = str(project_directory())
    command = [sys.executable, "-P", "-m", "dbt.cli.main", "--quiet", "--log-format", "json", "build"]
    command += ["--exclude-resource-type", "test", "unit_test"]
    command += ["--select", *select]
    command += ["--vars", json.dumps(settings | {"check_only": True}), "--project-dir", project, "--profiles-dir", project]
    command += ["--target-path", scratch, "--log-path", scratch]
    # What dbt has parsed serves the next check of the same folder, if the database has the same name then too.
    parsed = project_directory() / "target" / "check.msgpack"
    with suppress(OSError):
        shutil.copyfile(parsed, Path(scratch, "partial_parse.msgpack"))
    environment = os.environ | {"ICP_DATABASE": database.name}
    if Path(landed := os.environ.get("ICP_LANDED", "")).is_file():
        environment["ICP_LANDED"] = str(Path(landed).absolute())
    run = subprocess.run(command, env=environment, cwd=database.parent, capture_output=True, text=True, check=False)
    with suppress(OSError):
        parsed.parent.mkdir(exist_ok=True)
        Path(scratch, "partial_parse.msgpack").replace(parsed)
    if run.returncode != 0:
        raise CheckError(_sentence(run.stdout) or run.stderr.strip() or "dbt could not run.")


def _sentence(log: str) -> str:
    """The project's own sentence, out of the heading and the call stack that dbt puts around it."""
    messages = [json.loads(line)["info"]["msg"] for line in log.splitlines() if line.startswith("{")]
    errors = [message for message in messages if "Compilation Error" in message or "Runtime Error" in message]
    lines = [line.strip() for message in errors for line in message.splitlines()]
    ours = [line for line in lines if line and not re.match("> |Encountered|(Compilation|Runtime) Error", line)]
    return ours[0] if ours else ""


def read_report(database: Path, found: InputFolder) -> FolderReport:
    """What the input layer in `database` made of the files or relations that were found."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return _read_report(connection, found)


def _read_report(connection: duckdb.DuckDBPyConnection, found: InputFolder) -> FolderReport:
    def rows(query: str) -> list[tuple]:
        return connection.execute(query).fetchall()

    contract = read_contract()
    rejects = broken_rules(rows, "input.input_rejects", contract)
    entities = []
    for entity, file in found.files.items():
        rejected = sum(broken.rows for broken in rejects if broken.entity == entity)
        accepted = rows(f"select count(*) from input.input_{entity}")[0][0]
        entities.append((entity, file.name, accepted + rejected, rejected))

    cannot_say = _missing_inputs(rows)
    # A file of orders that has only a header is no orders.
    has_orders = rows("select count(*) from input.input_orders__checked") != [(0,)]
    if has_orders and rows(WITH_A_TERM) == [(0,)]:
        cannot_say.insert(0, "MRR, renewals and revenue retention: no order has a term")
    sales = "input.input_orders where order_status = 'closed_won'" if has_orders else "input.input_opportunities where is_won"
    first_order_at, sold = rows(f"select min(closed_at), count(*) from {sales}")[0]
    as_of, months = rows(
        f"select as_of, datediff('month', (select min(closed_at) from {sales}), as_of) from intermediate.int_as_of"
    )[0]
    if months is not None and months < 24:
        cannot_say.append("which buyers are seasonal: that takes two full years of orders")
    failures = [
        f"{entity} loses {rejected:,} of its {read:,} rows."
        for entity, _, read, rejected in entities
        if entity in ("accounts", "orders", "opportunities") and rejected and 2 * rejected >= read
    ]
    if not sold:
        failures.append("No closed-won order is left.")
    inferences = rows("select explanation, record_count from marts.quality_inferences where record_count > 0 order by all")
    return FolderReport(
        folder=found,
        entities=entities,
        rejects=rejects,
        dropped=broken_rules(rows, "input.input_dropped_values", contract),
        inferred=[f"{count:,}: {explanation}" for explanation, count in inferences],
        first_order_on=str(first_order_at.date()) if first_order_at else None,
        as_of=str(as_of) if as_of else None,
        failures=failures,
        cannot_say=cannot_say,
    )


def _missing_inputs(rows) -> list[str]:
    """What follows from each input that is not there, by the seed `missing_inputs`."""
    follows: dict[str, list[str]] = defaultdict(list)
    with (project_directory() / "seeds" / "reference" / "missing_inputs.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            follows[row["input"]].append(f"{row['mart']}: {row['consequence']}" if row["mart"] else row["consequence"])
    said = []
    for name, consequences in follows.items():
        place, _, system = name.partition(" of ")
        entity, _, column = place.partition(".")
        only = f" where lower(system) = '{system}'" if system else ""
        if rows(f"select count({column or '*'}) from input.input_{entity}{only}") == [(0,)]:
            said.append(f"no {name}: {'; '.join(consequences)}")
    return said


def broken_rules(rows, relation: str, contract: dict[str, dict[str, Column]]) -> list[BrokenRule]:
    """The rules of `relation` (rejects or dropped values) per entity and column: the rows, and the three most frequent values."""
    counts: dict[tuple, int] = defaultdict(int)
    values: dict[tuple, list[tuple[str, int]]] = defaultdict(list)
    query = f"""
        with counted as (
            select
                entity,
                rule,
                column_name,
                left(column_value, 60) as shown,
                count(*) as row_count
            from {relation}
            group by all
        )
        select *, sum(row_count) over (partition by entity, rule, column_name) as total
        from counted
        qualify row_number() over (partition by entity, rule, column_name order by row_count desc, shown) <= 3
        order by entity, rule, column_name, row_count desc, shown
    """
    for entity, rule, column, value, count, total in rows(query):
        counts[entity, rule, column] = int(total)
        if value is not None:
            values[entity, rule, column].append((value, count))
    return [
        BrokenRule(*key, total, tuple(values[key]), _remedy(key[1], contract[key[0]].get(key[2]), values[key]))
        for key, total in counts.items()
    ]


def _remedy(rule: str, column: Column | None, values: list[tuple[str, int]]) -> str:
    if column is not None and column.allowed and rule == "not_allowed_value":
        meant = [
            f"map `{value}` to {allowed}"
            for value, _ in values
            for allowed in column.allowed
            if re.search(MEANINGS[allowed], value.lower())
        ]
        return f"allowed: {', '.join(column.allowed)}" + (f" ({'; '.join(dict.fromkeys(meant))})" if meant else "")
    if rule == "not_allowed_value":
        return "a term is 1 to 1,200 months, a rate above 0, an amount below a trillion"
    if rule == "unreadable_value" and column is not None:
        return FORMS[column.type]
    return REMEDIES[rule]


def print_report(report: FolderReport, console: Console) -> None:
    """Print what was found. Raises CheckError where a build would be of no use."""
    found = Table("entity", "file", "rows", "rejected")
    for entity, file, read, rejected in report.entities:
        found.add_row(entity, file, f"{read:,}", f"{rejected:,}")
    console.print(found)
    for entity, file in report.folder.files.items():
        uses = {"columns used": file.used, "missing, read as empty": file.missing, "not in the contract, ignored": file.ignored}
        console.print(f"{entity}: " + "; ".join(f"{use}: {', '.join(names)}" for use, names in uses.items() if names))
    console.print(f"Orders from {report.first_order_on or '-'}; the build would be as of {report.as_of or '-'}.")
    if report.folder.others:
        console.print(f"Not read: {', '.join(report.folder.others)}")
    print_rules(console, "Rows that would be rejected", report.rejects, "No row would be rejected.")
    print_rules(console, "Values that would be dropped (their rows stay)", report.dropped, "No value would be dropped.")
    if report.inferred:
        console.print("What would be inferred:")
        for sentence in report.inferred:
            console.print(f"  - {sentence}")
    if report.cannot_say:
        console.print("For lack of data, the result will say less:")
        for sentence in report.cannot_say:
            console.print(f"  - {sentence}")
    if report.failures:
        raise CheckError("\n".join(report.failures))


def print_rules(console: Console, title: str, rules: list[BrokenRule], none: str) -> None:
    """Print a rule per line, with its values and what to do."""
    console.print(f"{title}:" if rules else none)
    for broken in rules:
        shown = ", ".join(f"`{value}` ({count:,})" for value, count in broken.values)
        place = f"{broken.entity}.{broken.column}" if broken.column else broken.entity
        console.print(f"  - {broken.rows:,} {broken.rule} in {place}{': ' + shown if shown else ''} - {broken.remedy}")
