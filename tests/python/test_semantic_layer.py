"""What `mf query` answers: the marts' figures, and those that docs/metrics.md works out by hand."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

from conftest import ROOT, BuildResult
from icp_refinery.project import TIER_NAMES

# `mf query`, once for each list of arguments, in one process: each start of `mf` takes seconds.
QUERIES = """
import json, sys
from dbt_metricflow.cli.cli_configuration import CLIConfiguration
from dbt_metricflow.cli.main import query
configuration = CLIConfiguration()
for arguments in json.load(sys.stdin):
    query.main(arguments, obj=configuration, standalone_mode=False)
"""


def mf(folder: Path, manifest: Path, database: Path, queries: list[str]) -> list[dict[tuple, tuple]]:
    """The answers to `mf query <query>` on a copy of the database, for `mf` locks it: the figures by what they are grouped by."""
    (folder / "target").mkdir(parents=True)
    shutil.copy(database, folder / "icp.duckdb")
    shutil.copy(manifest, folder / "target" / "semantic_manifest.json")
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(ROOT / name, folder)
    files = [folder / f"{number}.csv" for number in range(len(queries))]
    arguments = [[*query.split(), "--quiet", "--csv", str(file)] for query, file in zip(queries, files, strict=True)]
    finished = subprocess.run(
        [sys.executable, "-c", QUERIES],
        cwd=folder,
        env=os.environ | {"ICP_DATABASE": str(folder / "icp.duckdb")},
        input=json.dumps(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout
    return [answer(query, file) for query, file in zip(queries, files, strict=True)]


def names(query: str, option: str) -> list[str]:
    """The names that an option of `mf query` lists."""
    found = re.search(rf"--{option} (\S+)", query)
    return found[1].split(",") if found else []


def answer(query: str, file: Path) -> dict[tuple, tuple]:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    groups, metrics = names(query, "group-by"), names(query, "metrics")
    return {tuple(text(row[group]) for group in groups): tuple(number(row[metric]) for metric in metrics) for row in rows}


def text(value: object) -> str:
    """A group as text: a day without its midnight, nothing for NULL."""
    return "" if value is None else re.sub("[T ]00:00:00$", "", str(value))


def number(value: object) -> float:
    return float("nan") if value in (None, "") else float(value)


MRR_BY = """
    with
    latest as (
        select dates.month, movements.account_id, movements.mrr
        from (select distinct month from marts.dim_dates) as dates
        inner join marts.fct_mrr_movements as movements on dates.month >= movements.month
        qualify row_number() over (partition by dates.month, movements.account_id order by movements.month desc) = 1
    )
    select {}, sum(mrr) from latest inner join marts.dim_accounts using (account_id) group by all
"""
OPPORTUNITIES = "from marts.fct_opportunities inner join marts.dim_accounts using (account_id) where is_closed group by all"

SHARED = "--metrics {0}_lead_share,{0}_opportunity_share,{0}_won_value_share,{0}_spend_share --group-by metric_time__day"
SHARES = (
    "select cycle_start, lead_share, opportunity_share, won_value_share, spend_share from marts.icp_alignment where tier = '{}'"
)

# What is asked for, and the same from the marts in other words.
FROM_MARTS = [
    (
        "--metrics won_value,annual_contract_value,order_count --group-by metric_time__month,order__order_type",
        """select closed_month, order_type, sum(net_amount), 12 * sum(monthly_recurring_revenue),
            count(*) filter (where order_type <> 'credit')
        from marts.fct_orders group by all""",
    ),
    ("--metrics won_value --group-by segment", "select segment_id, net_amount from marts.icp_segments where order_count > 0"),
    (
        "--metrics won_value,total_contract_value --group-by account__industry,account__tier",
        """select industry, dim_accounts.tier, sum(net_amount), sum(total_contract_value)
        from marts.fct_customers inner join marts.dim_accounts using (account_id) group by all""",
    ),
    ("--metrics mrr --group-by metric_time__month", MRR_BY.format("month")),
    ("--metrics mrr --group-by metric_time__month,account__tier", MRR_BY.format("month, tier")),
    (
        "--metrics mrr --group-by metric_time__year",
        """select date_trunc('year', month), max_by(mrr, month) from (
            select month, sum(sum(mrr_change)) over (order by month) as mrr from marts.fct_mrr_movements group by month
        ) group by all""",
    ),
    (
        "--metrics mrr --group-by account__industry",
        """select industry, sum(current_mrr) from marts.fct_customers inner join marts.dim_accounts using (account_id)
        where peak_mrr > 0 group by all""",
    ),
    (
        "--metrics mrr_change --group-by metric_time__quarter,mrr_movement__movement",
        "select date_trunc('quarter', month), movement, sum(mrr - previous_mrr) from marts.fct_mrr_movements group by all",
    ),
    (
        "--metrics net_revenue_retention,gross_revenue_retention,customer_retention,retention_customer_count --group-by segment",
        """select segment_id, net_revenue_retention, gross_revenue_retention, customer_retention, retention_customer_count
        from marts.icp_segments where customer_count > 0""",
    ),
    (
        "--metrics net_revenue_retention,gross_revenue_retention,customer_retention --group-by metric_time__month",
        """select cohort_month, net_revenue_retention, gross_revenue_retention, customer_retention
        from marts.cohort_retention where segment_id = 'all' and months_since = 12""",
    ),
    (
        "--metrics win_rate_all,closed_opportunity_count,time_to_close "
        "--group-by account__industry,opportunity__opportunity_type",
        f"""select industry, opportunity_type, avg(cast(is_won as integer)), count(*),
        median(days_to_close) filter (where is_won) {OPPORTUNITIES}""",
    ),
    (
        "--metrics win_rate_all,closed_opportunity_count --group-by metric_time__month,account__tier",
        f"select date_trunc('month', closed_at), dim_accounts.tier, avg(cast(is_won as integer)), count(*) {OPPORTUNITIES}",
    ),
    (
        "--metrics win_rate_all,closed_opportunity_count,time_to_close --group-by segment "
        "--where {{Dimension('opportunity__opportunity_type')}}='new_business'",
        """select segment_id, avg(cast(is_won as integer)), count(*), median(days_to_close) filter (where is_won)
        from marts.fct_opportunities where is_closed and opportunity_type = 'new_business' group by all""",
    ),
    (
        "--metrics new_business_win_rate,first_deal_count --group-by segment",
        "select segment_id, win_rate, pursuit_count from marts.icp_segments",
    ),
    (
        "--metrics win_rate_all,closed_opportunity_count --group-by segment",
        "select segment_id, win_rate_all, closed_opportunity_count from marts.icp_segments",
    ),
    (
        SHARED.format("tier_1"),
        SHARES.format("tier_1"),
    ),
    (
        SHARED.format("deprioritized"),
        SHARES.format("deprioritized"),
    ),
    (
        "--metrics tier_1_won_value_share --group-by metric_time__year",
        """select date_trunc('year', cycle_start), sum(won_value) / sum(won_value_total)
        from marts.icp_alignment where tier = 'tier_1' group by all""",
    ),
    ("--metrics account_count --group-by account__tier", "select tier, count(*) from marts.dim_accounts group by all"),
    (
        "--metrics net_revenue_retention,gross_revenue_retention,customer_retention,retention_customer_count "
        "--group-by segment__tier",
        """select tier, net_revenue_retention, gross_revenue_retention, customer_retention, customer_count
        from marts.retention_by_tier where tier <> 'all' qualify month = max(month) over ()""",
    ),
    (
        "--metrics conversion_90_days_rate,matured_90_days_count,converted_90_days_count,stage_entered_count "
        "--group-by funnel_stage__stage",
        """select stage, conversion_90_days_rate, matured_90_days_count, converted_90_days_count, entered_count
        from marts.icp_funnel where tier = 'all'""",
    ),
    (
        "--metrics channel_spend,channel_opportunity_count,channel_win_count --group-by metric_time__day,spend__tier",
        """select cycle_start, tier, spend, opportunity_count, win_count
        from marts.icp_alignment semi join marts.icp_spend using (cycle_start, tier)""",
    ),
    (
        "--metrics cost_per_opportunity,cost_per_win --group-by spend__channel",
        """select channel, sum(spend) / nullif(sum(opportunity_count), 0), sum(spend) / nullif(sum(win_count), 0)
        from marts.icp_spend group by all""",
    ),
    (
        "--metrics verdict_count,revise_count --group-by metric_time__day,reviewed_segment__tier",
        """select cycle_start, tier, count(verdict), count(*) filter (where verdict = 'revise')
        from marts.icp_cycle_review where tier is not null and verdict is not null group by all""",
    ),
]


@pytest.fixture(scope="module")
def from_mf(demo: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple, tuple]]:
    """What `mf` answers on the demo company, by query."""
    queries = [query for query, _ in FROM_MARTS]
    manifest = demo.folder / "target" / "semantic_manifest.json"
    answers = mf(tmp_path_factory.mktemp("mf"), manifest, demo.database, queries)
    return dict(zip(queries, answers, strict=True))


@pytest.mark.parametrize(("query", "sql"), FROM_MARTS, ids=[query for query, _ in FROM_MARTS])
def test_a_metric_is_what_the_marts_say(query: str, sql: str, demo: BuildResult, from_mf: dict[str, dict[tuple, tuple]]) -> None:
    groups = len(names(query, "group-by"))
    with duckdb.connect(str(demo.database), read_only=True) as connection:
        rows = connection.execute(sql).fetchall()
    expected = {tuple(text(value) for value in row[:groups]): tuple(number(value) for value in row[groups:]) for row in rows}
    assert expected
    assert from_mf[query] == {group: pytest.approx(figures, rel=1e-9, nan_ok=True) for group, figures in expected.items()}


METRICS = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
TABLE = r"\n\n((?:\|.*\|\n)+)"
EXAMPLES = re.findall(r"^    mf query (--metrics .*)" + TABLE, METRICS, re.MULTILINE)


def cells(table: str) -> list[list[str]]:
    """The lines of a Markdown table, the names of its columns first."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [lines[0], *lines[2:]]


@pytest.fixture(scope="module")
def by_hand(demo: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple, tuple]]:
    """What `mf` answers on the rows of docs/metrics.md, by query."""
    folder = tmp_path_factory.mktemp("by_hand")
    with duckdb.connect(str(folder / "icp.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(f"attach '{demo.database}' as demo (read_only)")
        for mart, table in re.findall(r"^Rows of `(\w+)`:" + TABLE, METRICS, re.MULTILINE):
            [columns, *rows] = cells(table)
            connection.execute(f"create table marts.{mart} as from demo.marts.{mart} limit 0")
            marks = ", ".join("?" for _ in columns)
            values = [[cell or None for cell in row] for row in rows]
            connection.executemany(f"insert into marts.{mart} ({', '.join(columns)}) values ({marks})", values)
        connection.execute(
            "create table marts.dim_dates as from demo.marts.dim_dates where date_day between '2023-01-01' and '2024-05-31'"
        )
    queries = [query for query, _ in EXAMPLES]
    answers = mf(folder / "mf", demo.folder / "target" / "semantic_manifest.json", folder / "icp.duckdb", queries)
    return dict(zip(queries, answers, strict=True))


@pytest.mark.parametrize(("query", "table"), EXAMPLES, ids=[query for query, _ in EXAMPLES])
def test_the_worked_examples_come_out_as_written(query: str, table: str, by_hand: dict[str, dict[tuple, tuple]]) -> None:
    [columns, *rows] = cells(table)
    groups, metrics = names(query, "group-by"), names(query, "metrics")
    assert columns == [*groups, *metrics]
    written = {tuple(row[: len(groups)]): tuple(number(cell) for cell in row[len(groups) :]) for row in rows}
    assert by_hand[query] == {group: pytest.approx(figures, abs=1e-9, nan_ok=True) for group, figures in written.items()}
    assert list(by_hand[query]) == list(written)


def test_labels_of_metrics_call_tiers_as_people_do() -> None:
    metrics = yaml.safe_load((ROOT / "models/marts/alignment/icp_alignment__semantic.yml").read_text())["metrics"]
    labels = {tier: {m["label"].split(",")[0] for m in metrics if m["name"].startswith(f"{tier}_")} for tier in TIER_NAMES}
    assert labels["tier_1"] == {TIER_NAMES["tier_1"]}
    assert labels["deprioritized"] == {TIER_NAMES["deprioritized"]}


def test_every_grouped_example_says_its_order() -> None:
    grouped = [line for line in METRICS.splitlines() if "mf query" in line and "--group-by" in line]
    assert grouped
    assert [line for line in grouped if names(line, "order") != names(line, "group-by")] == []


def test_every_metric_is_explained(demo: BuildResult) -> None:
    manifest = json.loads((demo.folder / "target" / "semantic_manifest.json").read_text())
    explained = set(re.findall(r"`(\w+)`", METRICS))
    helpers = {"won_opportunity_count", "retained_customer_count", "kept_mrr", "retained_mrr", "account_count"}
    assert {metric["name"] for metric in manifest["metrics"]} - helpers <= explained
