"""Build AdventureWorks and compare the marts with facts of the raw tables; exits 1 where they differ."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
from prepare import prepare
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "target" / "adventureworks"
DATABASE = OUT / "adventureworks.duckdb"


def _of_business_type(amount: str, business_type: str) -> str:
    return (
        f"select round(sum({amount}), 2) from marts.fct_customers "
        "join input.input_account_attributes using (account_id) "
        f"where attribute = 'business_type' and value = '{business_type}'"
    )


def _first_order_in(month: str) -> str:
    return f"select count(*) from marts.fct_customers where strftime(first_order_at, '%Y-%m') = '{month}'"


# What is measured, its value in the raw tables, and the query on the marts.
FACTS: list[tuple[str, int | Decimal, str]] = [
    ("order lines", 60_855, "select count(*) from marts.fct_order_lines"),
    ("orders", 3_796, "select count(*) from marts.fct_orders"),
    ("products", 504, "select count(*) from marts.dim_products"),
    ("resellers", 701, "select count(*) from marts.dim_accounts"),
    ("resellers that ever bought", 635, "select count(*) from marts.fct_customers"),
    ("resellers that bought again", 605, "select count(*) from marts.fct_customers where order_count > 1"),
    ("first order in 2010-12", 38, _first_order_in("2010-12")),
    ("first order in 2011-01", 75, _first_order_in("2011-01")),
    ("first order in 2011-03", 64, _first_order_in("2011-03")),
    ("first order in 2011-05", 26, _first_order_in("2011-05")),
    ("net sales", Decimal("80450596.98"), "select round(sum(net_amount), 2) from marts.fct_orders"),
]
for business_type, net_sales, gross_profit in [
    ("Warehouse", Decimal("38726913.48"), Decimal("-4789.98")),
    ("Value Added Reseller", Decimal("34967517.33"), Decimal("447474.93")),
    ("Specialty Bike Shop", Decimal("6756166.18"), Decimal("27797.65")),
]:
    FACTS += [
        (f"net sales, {business_type}", net_sales, _of_business_type("net_amount", business_type)),
        (f"gross profit, {business_type}", gross_profit, _of_business_type("margin_amount", business_type)),
    ]


def build() -> int:
    """Build the project from the mapped files into `DATABASE`; returns dbt's exit code."""
    prepare(OUT / "files")
    variables = {"connectors": ["files"], "files_dir": str(OUT / "files")}
    command = [sys.executable, "-m", "dbt.cli.main", "build", "--vars", json.dumps(variables)]
    # Unit tests are about the models, whatever the data.
    command += [
        "--exclude-resource-type",
        "unit_test",
        "--project-dir",
        str(ROOT),
        "--profiles-dir",
        str(ROOT),
    ]
    command += ["--target-path", str(OUT / "dbt"), "--log-path", str(OUT / "logs")]
    environment = os.environ | {"ICP_DATABASE": str(DATABASE), "ICP_PUBLISHED": str(OUT / "published")}
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def marts_agree(database: Path) -> bool:
    """Print each fact beside its value in the marts of `database`; returns whether all are equal."""
    table = Table(title="AdventureWorks: raw tables and marts")
    for heading in ("fact", "raw tables", "marts", "equal"):
        table.add_column(heading, justify="left" if heading == "fact" else "right")

    all_equal = True
    with duckdb.connect(database, read_only=True) as connection:
        for name, expected, query in FACTS:
            ((value,),) = connection.execute(query).fetchall()
            equal = value == expected
            all_equal &= equal
            found = "none" if value is None else f"{value:,}"
            table.add_row(name, f"{expected:,}", found, "yes" if equal else "[bold red]NO[/]")
    Console().print(table)
    return all_equal


if __name__ == "__main__":
    failed = build()
    if failed:
        sys.exit(failed)
    sys.exit(0 if marts_agree(DATABASE) else 1)
