"""Time and memory of `icp hubspot diff` and `apply` with 100,000 companies, 300,000 contacts and 50,000 open deals, at the rate
that HubSpot allows.

The published marts are copied, with so many records in place of the demo company's. HubSpot is the stand-in of the tests, in a
process of its own, which refuses what is above the limit and takes a while to answer. All time is real. `python -m
benchmarks.hubspot` prints the figures and writes them to docs/benchmarks.md.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import duckdb
import yaml

from benchmarks.run import HUBSPOT, PAGE, ROOT, run_measured

WORK = ROOT / "target" / "bench_hubspot"
LIMIT = 100
SIZES = {"companies": 100_000, "contacts": 300_000, "deals": 50_000}


def publish(published: Path, base: Path, sizes: dict[str, int]) -> None:
    """A published state like `base` (an icp.duckdb), in which each record of an object comes again until there are so many.

    The records' ids are 1, 2, ...
    """
    companies = sizes["companies"]
    state = published / "current"
    state.mkdir(parents=True)
    shutil.copy(base, state / "icp.duckdb")
    with duckdb.connect(str(state / "icp.duckdb")) as marts:
        marts.execute(
            f"""
            create or replace table marts.sync_hubspot_companies as
            with written as (
                select *, row_number() over (order by hubspot_company_id) - 1 as n, count(*) over () as total
                from marts.sync_hubspot_companies
                where withheld_reason is null
            )
            select
                written.* exclude (n, total)
                replace (cast(record.id as varchar) as hubspot_company_id, 'A' || record.id as account_id)
            from range(1, {companies + 1}) as record(id)
            inner join written on record.id % written.total = written.n
            """
        )
        for mart, key, of in (
            ("sync_hubspot_contacts", "contact_id", "contacts"),
            ("fct_opportunities", "opportunity_id", "deals"),
        ):
            marts.execute(
                f"""
                create or replace table marts.{mart} as
                with known as (select *, row_number() over (order by {key}) - 1 as n, count(*) over () as total from marts.{mart})
                select known.* exclude (n, total) replace (cast(record.id as varchar) as {key})
                from range(1, {sizes[of] + 1}) as record(id) inner join known on record.id % known.total = known.n
                """
            )
        marts.execute("update marts.fct_opportunities set is_closed = false")
    manifest = {"as_of": "2026-09-30", "published_at": "2026-10-01T00:00:00+00:00"}
    (state / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for of, size in SIZES.items():
        parser.add_argument(f"--{of}", type=int, default=size)
    parser.add_argument("--answer-seconds", type=float, default=0.2)
    options = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "activation").mkdir(parents=True)
    shutil.copy(ROOT / "dbt_project.yml", WORK)
    base = Path(os.environ.get("ICP_PUBLISHED") or ROOT / "published") / "current" / "icp.duckdb"
    sizes = {of: getattr(options, of) for of in SIZES}
    publish(WORK / "published", base, sizes)
    command = [sys.executable, str(ROOT / "tests" / "support" / "hubspot_portal.py")]
    command += [f"--{of}={size}" for of, size in sizes.items()]
    command += ["--requests-per-10-seconds", str(LIMIT), "--token", "bench", "--answer-seconds", str(options.answer_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as portal:
        try:
            rows = measure(portal.stdout.readline().strip(), max(sizes.values()))
        finally:
            portal.send_signal(signal.SIGTERM)
    write_section(sizes, options.answer_seconds, rows)


def measure(url: str, most: int) -> list[str]:
    """Rows of the table: the first diff, the apply, and a diff with nothing left to do."""
    settings = yaml.safe_load((ROOT / "activation" / "hubspot.yml").read_text(encoding="utf-8"))
    settings |= {"requests_per_10_seconds": LIMIT, "max_changes": most, "objects": list(SIZES)}
    (WORK / "activation" / "hubspot.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    icp = [str(Path(sys.executable).parent / "icp"), "hubspot"]
    environment = {"HUBSPOT_TOKEN": "bench", "ICP_PUBLISHED": str(WORK / "published")}
    rows = []
    for arguments in (["diff"], ["apply", "--apply"], ["diff"]):
        before = seen(url)
        took = run_measured([*icp, *arguments, "--base-url", url], environment, WORK)
        after = seen(url)
        calls = after["calls"] - before["calls"]
        refused = after["statuses"].get("429", 0) - before["statuses"].get("429", 0)
        floor = (calls - refused) * 10 / LIMIT
        changed = after["changed_values"] - before["changed_values"]
        rows.append(
            f"| `{' '.join(arguments)}` | {calls:,} | {changed:,} | {floor:.1f} s | {took.wall:.1f} s "
            f"| {took.wall / floor - 1:+.1%} | {took.cpu:.1f} s | {took.peak / 1e6:.0f} MB | {refused} |"
        )
        print(rows[-1], flush=True)
    return rows


def write_section(sizes: dict[str, int], answer_seconds: float, rows: list[str]) -> None:
    """Write the figures to docs/benchmarks.md, below those of `make bench`."""
    records = ", ".join(f"{size:,} {of}" for of, size in sizes.items())
    lines = [
        "",
        "## HubSpot",
        "",
        f"Written by `python -m benchmarks.hubspot`: {records}, in real time, against a",
        f"stand-in that refuses what is above {LIMIT} calls in 10 seconds and takes {answer_seconds:g} seconds for each",
        "answer. The limit's time is that of the calls not refused.",
        "",
        "| command | calls | values changed | the limit's time | it took | over it | of them CPU | peak memory | refused (429) |",
        "|---|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    PAGE.write_text(PAGE.read_text().partition(HUBSPOT)[0] + "\n".join(lines) + "\n")


def seen(url: str) -> dict:
    with urllib.request.urlopen(f"{url}/stand-in") as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
