"""Look at a folder before any build: what is there, what will be rejected, what the marts cannot say."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from icp_refinery.project import project_directory

# What is lost where a column holds nothing: (entity, column, what the result will not be able to say).
NEEDED_FOR = [
    ("orders", "order_id", "renewals, terms and MRR: each won opportunity stands for one order"),
    ("order_lines", "order_line_id", "product bundles, add-ons and services: an order is one amount"),
    ("order_lines", "cost", "margin"),
    ("products", "product_type", "which products are add-ons and services"),
    ("opportunities", "opportunity_id", "win rate, lost deals and time to close"),
    ("opportunity_stages", "stage", "conversion and time at each stage of the sales cycle"),
    ("contacts", "job_title", "job functions and seniority"),
    ("contacts", "became_lead_at", "the way from lead to opportunity"),
    ("engagements", "engagement_id", "which content, webinars and events go with a win"),
    ("campaign_members", "campaign_id", "whom Marketing targets"),
    ("campaign_spend", "amount", "cost per opportunity and per win"),
    ("accounts", "industry", "industry as a trait"),
    ("accounts", "employee_count", "company size as a trait"),
    ("accounts", "country", "country as a trait"),
    ("accounts", "region", "region as a trait"),
    ("account_external_ids", "external_id", "which CRM record an account is"),
]


class CheckError(Exception):
    """The folder cannot be built from at all; the message is one sentence that says why."""


@dataclass
class FolderReport:
    """What `check_folder` found.

    `entities`: (entity, file, rows read, rows rejected); `columns`: entity -> used, missing or ignored ->
    names; `rejects`: (entity, rule, rows).
    """

    entities: list[tuple[str, str, int, int]]
    columns: dict[str, dict[str, list[str]]]
    rejects: list[tuple[str, str, int]]
    first_order_on: str | None
    as_of: str | None
    currencies_without_rate: list[str]
    cannot_say: list[str] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)


def check_folder(folder: Path, reporting_currency: str = "USD") -> FolderReport:
    """Runs the input layer on `folder` into a throw-away database and reads what it found.

    Raises CheckError where the folder cannot be built from.
    """
    folder = folder.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch) / "check.duckdb"
        _run_input_layer(folder, reporting_currency, scratch, database)
        with duckdb.connect(str(database), read_only=True) as connection:
            return _read_report(connection, folder, reporting_currency)


def _run_input_layer(folder: Path, reporting_currency: str, scratch: str, database: Path) -> None:
    project = str(project_directory())
    settings = {"connectors": ["files"], "files_dir": str(folder), "reporting_currency": reporting_currency}
    command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "--log-format", "json", "run"]
    command += ["--select", "path:models/staging", "path:models/input", "int_as_of", "--vars", json.dumps(settings)]
    command += [
        "--project-dir",
        project,
        "--profiles-dir",
        project,
        "--target-path",
        scratch,
        "--log-path",
        scratch,
    ]
    environment = os.environ | {"ICP_DATABASE": str(database)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise CheckError(_sentence(run.stdout) or run.stderr.strip() or "dbt could not run.")


def _sentence(log: str) -> str:
    """The project's own sentence, out of the heading and the call stack that dbt puts around it."""
    messages = [json.loads(line)["info"]["msg"] for line in log.splitlines() if line.startswith("{")]
    lines = [line.strip() for message in messages for line in message.splitlines()]
    ours = [line for line in lines if line and not line.startswith((">", "Compilation Error", "Runtime Error", "Encountered"))]
    return ours[0] if ours else ""


def _read_report(connection: duckdb.DuckDBPyConnection, folder: Path, reporting_currency: str) -> FolderReport:
    def rows(query: str) -> list[tuple]:
        return connection.execute(query).fetchall()

    columns: dict[str, dict[str, list[str]]] = {}
    files: dict[str, str] = {}
    for entity, file, column, use in rows("select entity, source_file, column_name, column_use from input.input_source_columns"):
        if file:
            files[entity] = Path(file).name
            columns.setdefault(entity, {"used": [], "missing": [], "ignored": []})[use].append(column)
    rejects = rows("select entity, rule, count(*) from input.input_rejects group by all order by all")
    entities = []
    for entity, file in files.items():
        rejected = sum(count for name, _, count in rejects if name == entity)
        entities.append((entity, file, _accepted(connection, entity) + rejected, rejected))

    cannot_say = [
        sentence
        for entity, column, sentence in NEEDED_FOR
        if connection.execute(f"select count({column}) from input.input_{entity}").fetchone() == (0,)
    ]
    if "orders" in files and not rows("select 1 from input.input_orders where term_months > 0 or ends_on is not null limit 1"):
        cannot_say.insert(0, "MRR, renewals and revenue retention: no order has a term")
    as_of, months = rows(
        "select as_of, datediff('month', (select min(closed_at) from input.input_orders), as_of) from intermediate.int_as_of"
    )[0]
    if months is not None and months < 24:
        cannot_say.append("which buyers are seasonal: that takes two full years of orders")
    currencies = rows(
        "select distinct upper(json_extract_string(raw_row, '$.currency_code'))"
        " from input.input_rejects where rule = 'unknown_currency' order by all"
    )
    known = {f"{entity}.{kind}" for entity in _contract_entities(connection) for kind in ("csv", "parquet")}
    return FolderReport(
        entities=entities,
        columns=columns,
        rejects=rejects,
        first_order_on=_text(rows("select cast(min(closed_at) as date) from input.input_orders")[0][0]),
        as_of=_text(as_of),
        currencies_without_rate=[code for (code,) in currencies],
        cannot_say=cannot_say,
        other_files=sorted(file.name for file in folder.iterdir() if file.name not in known),
    )


def _accepted(connection: duckdb.DuckDBPyConnection, entity: str) -> int:
    return connection.execute(f"select count(*) from input.input_{entity}").fetchone()[0]


def _contract_entities(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [name for (name,) in connection.execute("select distinct entity from input.input_source_columns").fetchall()]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def check(
    folder: Annotated[Path, typer.Argument(help="Folder of <entity>.csv or <entity>.parquet files.")],
    reporting_currency: Annotated[str, typer.Option(help="Currency of the marts (ISO 4217).")] = "USD",
) -> None:
    """Say what a folder holds before any build: rows, columns, rejects to expect, what cannot be said."""
    console = Console()
    try:
        report = check_folder(folder, reporting_currency)
    except CheckError as error:
        Console(stderr=True, soft_wrap=True).print(str(error), style="red", markup=False)
        raise typer.Exit(1) from None

    found = Table("entity", "file", "rows", "rejected")
    for entity, file, read, rejected in report.entities:
        found.add_row(entity, file, f"{read:,}", f"{rejected:,}")
    console.print(found)
    words = {
        "used": "columns used",
        "missing": "missing, read as empty",
        "ignored": "not in the contract, ignored",
    }
    for entity, uses in report.columns.items():
        said = "; ".join(f"{words[use]}: {', '.join(names)}" for use, names in uses.items() if names)
        console.print(f"{entity}: {said}", markup=False, highlight=False)
    console.print(f"Orders from {report.first_order_on or '-'}; the build would be as of {report.as_of or '-'}.")
    if report.other_files:
        console.print(f"Not read: {', '.join(report.other_files)}", markup=False)
    if report.currencies_without_rate:
        codes = ", ".join(report.currencies_without_rate)
        console.print(f"Without a rate to {reporting_currency} on their date: {codes}", markup=False)
    if report.rejects:
        rules = Table("entity", "rule", "rows", title="Rejects to expect", title_justify="left")
        for entity, rule, count in report.rejects:
            rules.add_row(entity, rule, f"{count:,}")
        console.print(rules)
    else:
        console.print("No row would be rejected.")
    if report.cannot_say:
        console.print("For lack of data, the result will not be able to say:")
        for sentence in report.cannot_say:
            console.print(f"  - {sentence}", markup=False)
