"""Look at a connector before any build: what the loader landed, what follows from it, what to switch on to get more."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
import yaml
from rich.console import Console
from rich.table import Table

from icp_refinery.check import CheckError, broken_rules, check_files, print_rules, run_input_layer
from icp_refinery.input_folder import read_contract
from icp_refinery.landed import attach_landed

TOOLS = ("hubspot", "salesforce")
# What an object that is not landed costs. Objects that only some loaders have are said where theirs could land them.
COSTS = {
    "hubspot": {
        "contact": "contacts, their titles and when they became leads",
        "line_item": "lines: products, terms, recurring revenue",
        "line_item_deal": "which line items are of which deal",
        "deal_company": "the companies of deals, beyond the property hs_primary_associated_company",
        "deal_archived": "which deals were deleted since",
        "merged_deal": "which deals were merged away: they count twice",
        "product": "names of products",
        "stage_entry": "the history of stages",
        "meeting": "meetings",
        "email": "e-mails",
        "call": "calls",
    },
    "salesforce": {
        "contact": "contacts",
        "lead": "when contacts became leads",
        "order": "orders: won opportunities stand for them",
        "orderitem": "lines of orders",
        "opportunitylineitem": "lines of opportunities",
        "product2": "names of products",
        "campaign": "campaigns and their spend",
        "campaignmember": "who was in which campaign",
        "opportunityhistory": "the history of stages",
        "event": "meetings",
        "task": "calls and e-mails",
        "datedconversionrate": "exchange rates",
    },
}
SWITCH_ON = {
    "fivetran": "select the table in the connector's Schema tab",
    "airbyte": "switch the stream on in the connection",
    "dlt": "load the source's resource for it",
}
ADD_COLUMNS = {
    "fivetran": "select the columns in the connector's Schema tab",
    "airbyte": "select the fields in the stream's schema",
    "dlt": "of HubSpot: add them to the source's `properties` argument; of Salesforce: let the connection's user see them",
}
WON = "from input.input_opportunities__checked where is_won"
SHARES = {
    "deals with an account": "select count(account_id), count(*) from input.input_opportunities__checked",
    "deals with an amount": "select count(amount), count(*) from input.input_opportunities__checked",
    "orders (won deals, where there are no others) with lines": """
        select count(*) filter (where order_id in (select sale_id from input.input_order_lines__checked)), count(*)
        from input.input_orders__checked
    """,
    "orders with a term, of their own or of a line": """
        select
            count(*) filter (
                where term_months is not null or ends_on is not null or order_id in (
                    select sale_id from input.input_order_lines__checked
                    where term_months is not null or ends_on is not null or line_type = 'recurring'
                )
            ),
            count(*)
        from input.input_orders__checked
    """,
}
STAGES = """
    select coalesce(pipeline_label, pipeline_id, '-'), string_agg(label, ', ' order by display_order, label)
    from staging.base_hubspot__stages
    where is_closed and probability = 1
    group by all
    order by 1
"""
WON_STAGES = f"select 'opportunities', string_agg(distinct stage, ', ' order by stage) {WON} having count(*) > 0"
# Airbyte reads at most 100 associations of a deal.
FULL = "select count(*) from (select 1 from input.input_order_lines__checked group by sale_id having count(*) = 100)"


def check_connector(tool: str, variables: dict[str, Any], console: Console) -> None:
    """Run staging and input on what `ICP_LANDED` holds of a tool, in a throw-away database, and print what was found.

    `variables` are added to those of dbt_project.yml. Raises CheckError where nothing can be read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch) / "check.duckdb"
        print(f"Reading what was landed of {tool} ...", file=sys.stderr, flush=True)
        run_input_layer(variables | {"connectors": [tool], "owner_of": {}}, scratch, database)
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            attach_landed(connection)
            _print_found(connection, tool, console)


def _print_found(connection: duckdb.DuckDBPyConnection, tool: str, console: Console) -> None:
    def rows(query: str) -> list[tuple]:
        return connection.execute(query).fetchall()

    found = rows(f"select object, table_name, is_landed, row_count, newest_load_at from raw_{tool}.found")
    [(loader,)] = rows(f"select loader from raw_{tool}.loaded_by")
    table = Table("object", "table", "rows", "newest load (UTC)")
    for name, place, is_landed, count, loaded_at in found:
        if is_landed:
            table.add_row(name, place, f"{count:,}", f"{loaded_at:%Y-%m-%d %H:%M}" if loaded_at else "-")
    console.print(table)
    for pipeline, stages in rows(STAGES if tool == "hubspot" else WON_STAGES):
        console.print(f"Won in {pipeline}: {stages}")
    for name, query in SHARES.items():
        [(count, total)] = rows(query)
        console.print(f"{name}: {count:,} of {total:,}" + (f" ({count / total:.0%})" if total else ""))
    [(full,)] = rows(FULL)
    if full and loader == "airbyte":
        console.print(f"{full:,} deals have exactly 100 line items, the most that Airbyte lands of a deal: some may be cut off.")
    contract = read_contract()
    rejects = broken_rules(rows, "input.input_rejects", contract)
    print_rules(console, "Rows that would be rejected", rejects, "No row would be rejected.")
    missing = [(name, place) for name, place, is_landed, *_ in found if place and not is_landed and name in COSTS[tool]]
    if missing:
        console.print(f"Not landed ({SWITCH_ON[loader]}):")
    for name, place in missing:
        console.print(f"  - {place}: {COSTS[tool][name]}")
    lacking = rows(
        "select source_file, string_agg(column_name, ', ' order by column_name) from input.input_source_columns"
        f" where connector = '{tool}' and column_use = 'missing' group by all order by all"
    )
    if lacking:
        console.print(f"Columns that are not landed, or have no value anywhere ({ADD_COLUMNS[loader]}):")
    for place, names in lacking:
        console.print(f"  - {place}: {names}")


def check(
    source: Annotated[str, typer.Argument(metavar="FOLDER|CONNECTOR", help="A folder of files, or `hubspot` or `salesforce`.")],
    reporting_currency: Annotated[
        str | None, typer.Option(help="Currency of the marts (ISO 4217); default USD, of a connector the project's.")
    ] = None,
    variables: Annotated[str, typer.Option("--vars", help="dbt's variables, as for a build; only for a connector.")] = "{}",
) -> None:
    """Say what a folder or a connector holds before any build: rows, columns, rejects to expect, what cannot be said."""
    if source not in TOOLS:
        check_files(Path(source), reporting_currency or "USD")
        return
    try:
        settings = {"reporting_currency": reporting_currency} if reporting_currency else {}
        settings |= yaml.safe_load(variables) or {}
        check_connector(source, settings, Console(soft_wrap=True, markup=False, highlight=False))
    except (CheckError, yaml.YAMLError) as error:
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(str(error), style="red")
        raise typer.Exit(1) from None
