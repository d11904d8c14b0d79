"""The companies that are measured: simulated once, of any number of order lines."""

import sys
from pathlib import Path

import duckdb

from icp_refinery.simulate import MONTHS, SEED, write_world

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "target" / "bench"
# What tells one copy's rows from another's: these columns begin with its number, and so does the domain of an e-mail address.
OWN = {"account_id", "parent_account_id", "merged_into_account_id", "contact_id", "opportunity_id", "order_id", "order_line_id"}
OWN |= {"engagement_id", "external_id", "replaces_order_id", "domain"}
SHARED = {"campaigns", "campaign_spend", "exchange_rates", "products"}


def company(millions: float, copies: int = 1) -> tuple[Path, int]:
    """The folder of so many copies of a company with so many million order lines, made once, and how many lines it has."""
    folder = BENCH / f"files_{millions:g}"
    if not (folder / "order_lines.parquet").exists():
        print(f"simulating {millions:g} million order lines", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_world(folder, round(millions * 100_000), MONTHS, SEED, lines_per_account=10)
    if copies > 1:
        folder = _copied(folder, copies)
    return folder, duckdb.execute(f"select count(*) from '{folder / 'order_lines.parquet'}'").fetchone()[0]


def _copied(files: Path, copies: int) -> Path:
    folder = files.with_name(f"{files.name}x{copies}")
    if folder.exists():
        return folder
    unfinished = folder.with_suffix(".part")
    unfinished.mkdir(parents=True, exist_ok=True)
    for file in files.glob("*.parquet"):
        columns = duckdb.sql(f"from '{file}'").columns
        own = [f"'c' || number || '-' || {column} as {column}" for column in columns if column in OWN]
        own += [f"replace({column}, '@', '@c' || number || '-') as {column}" for column in columns if column == "email"]
        times = 1 if file.stem in SHARED else copies
        rows = f"* exclude number replace ({', '.join(own)})" if own else "* exclude number"
        query = f"select {rows} from '{file}', (select unnest(range({times})) as number)"
        duckdb.execute(f"copy ({query}) to '{unfinished / file.name}'")
    return unfinished.rename(folder)
