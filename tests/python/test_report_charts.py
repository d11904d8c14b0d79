"""The report's charts: they show what the marts say, follow the filter, and say so where there is nothing to show."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import jsonschema
import pandas as pd
import pytest
import vl_convert

from conftest import BuildResult
from icp_refinery.report import charts
from icp_refinery.report.charts.proof import SCORERS
from icp_refinery.report.charts.value import EFFECTS_SHOWN
from icp_refinery.report.labels import VERDICTS
from icp_refinery.report.tables.model import Company

HOSTILE = "<script>alert(1)</script>';--\"\\ 株式会社 " + "x" * 200
Figures = dict[str, charts.Figure]
COMPANY = Company("USD", "net_amount", "30 Jun 2025", has_losses=True)


@pytest.fixture(scope="module")
def figures(demo: BuildResult) -> Figures:
    """Every figure of the demo company."""
    with duckdb.connect(str(demo.database), read_only=True) as marts:
        return charts.figures(marts, COMPANY)


@pytest.fixture
def altered(demo: BuildResult) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the demo company's marts to change."""
    with duckdb.connect() as marts:
        marts.execute(f"attach '{demo.folder}/published/current/icp.duckdb' as demo (read_only); create schema marts")
        names = marts.execute("select table_name from duckdb_tables() where database_name = 'demo' and schema_name = 'marts'")
        for (name,) in names.fetchall():
            marts.execute(f'create table marts."{name}" as from demo.marts."{name}"')
        yield marts


def query(demo: BuildResult, sql: str) -> pd.DataFrame:
    with duckdb.connect(str(demo.database), read_only=True) as marts:
        return marts.execute(sql).df()


def made_of(marts: duckdb.DuckDBPyConnection, *ids: str) -> Figures:
    return {make.__name__: make(marts, COMPANY) for make in charts.FIGURES if make.__name__ in ids}


def test_every_chart_is_valid_vega_lite(figures: Figures) -> None:
    valid = jsonschema.Draft7Validator(alt.load_schema())
    for figure in figures.values():
        if figure.spec is not None:
            valid.validate(figure.spec)


def drawn(figure: charts.Figure) -> pd.DataFrame:
    """What the chart is drawn from."""
    assert figure.spec is not None, figure.note
    return pd.DataFrame(figure.spec["data"]["values"])


def texts(figure: charts.Figure, **chosen: str) -> str:
    """The chart as drawn with the filter's choice."""
    spec: dict[str, Any] = copy.deepcopy(figure.spec) | {"width": 800}  # type: ignore[operator]
    for param in spec["params"]:
        param["value"] = chosen.get(param["name"], param["value"])
    return " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", vl_convert.vegalite_to_svg(spec)))


def same(left: Any, right: Any) -> None:
    """Equal to the six digits that a chart has, unknown ones too."""
    assert list(pd.Series(left, dtype=float)) == pytest.approx(list(pd.Series(right, dtype=float)), rel=1e-5, nan_ok=True)


def test_every_chart_compiles_says_its_unit_and_is_small(figures: Figures) -> None:
    assert len(figures) == len(charts.FIGURES)
    for figure in figures.values():
        assert all([figure.unit, figure.period, figure.note, len(figure.table)]), figure.id
        assert figure.spec is not None, figure.id
        assert figure.spec["width"] == "container", figure.id
        vl_convert.vegalite_to_vega(figure.spec)
    assert sum(len(json.dumps(figure.spec)) for figure in figures.values()) < 700_000


def test_titles_say_the_finding_with_its_figures(demo: BuildResult, figures: Figures) -> None:
    def one(sql: str) -> float:
        return float(query(demo, sql).iloc[0, 0])

    assert [figure.id for figure in figures.values() if not figure.finding] == []
    low_fit = one(
        "select sum(spend) filter (where tier = 'deprioritized') / sum(spend) from marts.icp_alignment"
        " where cycle_start >= '2024-07-01'"
    )
    assert figures["spend"].finding == f"{100 * low_fit:.0f} % of campaign spend goes to low fit"
    cohorts = "from marts.cohort_retention where segment_id = 'all' and months_since = 12"
    for id, column in (("cohort_retention_net_revenue", "retained_mrr"), ("cohort_retention_gross_revenue", "kept_mrr")):
        left = one(f"select sum({column}) / sum(starting_mrr) {cohorts}")
        assert f"After a year {100 * left:.0f} % of all starting revenue" in figures[id].finding
    growth = one("select sum(mrr_change) from marts.fct_mrr_movements where month > '2024-06-01'")
    assert f"MRR grew by USD {growth / 1000:.3g}k in the year to Jun 2025" in figures["mrr_movements"].finding
    captured = (
        "from marts.icp_backtest where cutoff = 'all' and scorer = 'segments' and measure = 'value_captured' and share = 0.2"
    )
    assert f"bring {100 * one(f'select value {captured}'):.0f} % of won value" in figures["backtest"].finding
    assert figures["cycle_review"].finding == "To be revised: Energy or government"


@pytest.mark.parametrize(
    ("id", "change", "says"),
    [
        (
            "segment_lifts",
            "update marts.icp_segments set lift_low = 0.5, lift_high = 2",
            "No segment is shown to be worth more or less",
        ),
        ("cycle_review", "update marts.icp_cycle_review set verdict = 'keep'", "No segment is to be revised"),
        ("seasonality", "update marts.icp_seasonality set verdict = 'no_evidence'", "No season is shown"),
        ("score_calibration", "update marts.icp_score_calibration set is_within_interval = true", "held in all 5 score bands"),
        ("cohort_retention", "delete from marts.retention_by_tier", "Not enough customers are a year old yet"),
        (
            "retention",
            "update marts.icp_segments set net_revenue_retention_low = 0.5, net_revenue_retention_high = 2",
            "is not shown for any segment",
        ),
        ("money", "delete from marts.icp_alignment where tier not in ('tier_3', 'unassigned')", "All accounts are of one tier"),
        ("money", "update marts.icp_alignment set won_value = spend", "No tier brings more than its share of effort"),
    ],
)
def test_a_title_without_a_finding_says_so(altered: duckdb.DuckDBPyConnection, id: str, change: str, says: str) -> None:
    altered.execute(change)
    [figure] = [charts.with_finding(figure, altered, COMPANY) for figure in made_of(altered, id).values()]
    assert says in (figure.finding or figure.note)


def test_lifts_scores_and_effects_are_those_of_the_marts(demo: BuildResult, figures: Figures) -> None:
    lifts = drawn(figures["segment_lifts"]).set_index("segment_id")
    mart = query(demo, "select * from marts.icp_segments").set_index("segment_id").loc[lifts.index]
    assert len(lifts) == len(query(demo, "select * from marts.icp_segments where lift is not null"))
    for column in ("lift", "lift_low", "lift_high", "pursuit_count"):
        same(lifts[column], mart[column])

    points = drawn(figures["scorecard"]).set_index("definition")
    mart = query(demo, "select * from marts.icp_scorecard where attribute is not null").set_index("definition")
    assert len(points) == min(len(mart), 25)
    assert mart.drop(points.index)["points"].abs().max() <= points["points"].abs().min() or len(mart) <= 25
    same(points["points"], mart.loc[points.index, "points"])

    effects = drawn(figures["effects"]).dropna(subset="series")
    mart = query(demo, "select * from marts.icp_attribute_effects where verdict in ('raises', 'lowers')")
    assert {"raises", "lowers"} >= set(effects["series"])
    assert len(effects) == mart.groupby("outcome").size().clip(upper=EFFECTS_SHOWN).sum()
    lift_of = {round(lift, 4): low for lift, low in zip(mart["lift"], mart["lift_low"], strict=True)}
    same(effects["low"], [lift_of[round(lift, 4)] for lift in effects["value"]])
    tried = query(demo, "select count(*) as n from marts.icp_attribute_effects")["n"][0]
    assert f"Tried: {tried} combinations" in figures["effects"].note

    bands = drawn(figures["score_calibration"])
    mart = query(demo, "select * from marts.icp_score_calibration").set_index("score_band")
    for series, column in (("happened", "value_per_pursuit"), ("predicted", "predicted_value")):
        part = bands[bands["series"] == series]
        same(part["value"], mart.loc[part["score_band"], column])


@pytest.mark.parametrize(
    ("id", "part", "whole"),
    [
        ("cohort_retention", "retained_customers", "cohort_customers"),
        ("cohort_retention_net_revenue", "retained_mrr", "starting_mrr"),
        ("cohort_retention_gross_revenue", "kept_mrr", "starting_mrr"),
    ],
)
def test_retention_is_of_whole_quarters_that_have_come_so_far(
    altered: duckdb.DuckDBPyConnection, id: str, part: str, whole: str
) -> None:
    # As if the data ended in May, in the middle of a quarter.
    altered.execute("delete from marts.cohort_retention where cohort_month + to_months(months_since) > date '2025-05-01'")
    figures = made_of(altered, id)
    mart = altered.execute("select * from marts.cohort_retention where segment_id = 'all'").df()
    mart["quarter"] = pd.PeriodIndex(pd.to_datetime(mart["cohort_month"]), freq="Q")
    cells = drawn(figures[id]).groupby(["cohort", "months"])[["kept", "whole", "customers"]].sum()
    assert len(cells) > 50
    for (cohort, months), cell in cells.iterrows():
        of_quarter = mart[mart["quarter"] == pd.Period(cohort.replace(" ", ""))]
        reached = of_quarter[of_quarter["months_since"] == months]
        assert set(reached["cohort_month"]) == set(of_quarter["cohort_month"]), (cohort, months)
        same(cell, [reached[part].sum(), reached[whole].sum(), reached["cohort_customers"].sum()])


def test_movements_add_up_to_those_of_the_mart(demo: BuildResult, figures: Figures) -> None:
    shown = drawn(figures["mrr_movements"])
    mart = query(demo, "select * from marts.fct_mrr_movements")
    mart["month"] = pd.to_datetime(mart["month"]).dt.strftime("%Y-%m-%d")
    mart = mart[mart["month"] >= shown["month"].min()]
    assert shown["month"].nunique() == 36
    left = shown.groupby(["month", "movement"])[["mrr_change", "accounts"]].sum()
    right = mart.groupby(["month", "movement"]).agg(mrr_change=("mrr_change", "sum"), accounts=("account_id", "nunique"))
    assert list(left.index) == list(right.index)
    assert list(left["mrr_change"]) == pytest.approx([float(x) for x in right["mrr_change"]], rel=1e-4)
    assert list(left["accounts"]) == list(right["accounts"])


def test_clusters_funnel_and_seasons_are_those_of_the_marts(demo: BuildResult, figures: Figures) -> None:
    shares = drawn(figures["clusters"]).dropna(subset="measure")
    mart = query(demo, "select * from marts.icp_value_clusters").set_index("value_cluster")
    columns = {"customers": "customer_share", "net amount": "net_amount_share", "current MRR": "current_mrr_share"}
    same(shares["share"], [mart.loc[row.cluster, columns[row.measure]] for row in shares.itertuples()])

    stages = drawn(figures["funnel"])
    mart = query(demo, "select * from marts.icp_funnel").set_index(["tier", "segment_id", "stage"])
    keys = [(row.tier, row.segment_id, row.stage.lower()) for row in stages.itertuples()]
    days = [series.split()[0] for series in stages["series"]]
    shown = {day: mart[f"conversion_{day}_days_rate"].where(mart[f"matured_{day}_days_count"] >= 10) for day in set(days)}
    same(stages["value"], [shown[day][key] for key, day in zip(keys, days, strict=True)])
    same(stages["n"], [mart.loc[key, f"matured_{day}_days_count"] for key, day in zip(keys, days, strict=True)])

    seasons = figures["seasonality"].table
    mart = query(demo, "select * from marts.icp_seasonality where is_season")
    assert seasons["is_season"].sum() == len(mart) == drawn(figures["seasonality"])["is_season"].sum()
    assert seasons["order_count"].sum() == query(demo, "select sum(order_count) as n from marts.icp_seasonality")["n"][0]


def test_spend_and_alignment_are_of_the_finished_cycles_of_the_last_year(demo: BuildResult, figures: Figures) -> None:
    mart = query(demo, "select * from marts.icp_spend where is_finished and cycle_start >= '2024-07-01'")
    cells = drawn(figures["spend"])
    of_all = cells[cells["label"] == "All channels"].set_index("tier")["spend"]
    expected = mart[mart["channel"].str.replace("_", " ").isin(set(cells["label"]))].groupby("tier")["spend"].sum()
    same(of_all, expected.loc[of_all.index])

    mart = query(demo, "select * from marts.icp_alignment where is_finished and cycle_start >= '2024-07-01'")
    latest = figures["alignment"].table.set_index(["measure", "tier"])["share"]
    for measure, column in (("Leads", "lead_count"), ("Wins", "win_count"), ("Campaign spend", "spend")):
        by_tier = mart.groupby("tier")[column].sum().astype(float)
        same(latest[measure], (by_tier / by_tier.sum()).loc[latest[measure].index])
    both = mart[mart["tier"].isin(["tier_1", "tier_2"])]["lead_count"].sum() / mart["lead_count"].sum()
    shown = drawn(figures["alignment"])
    shown = shown[(shown["row"] == 0) & (shown["tier"] == "all") & (shown["day"] == "2025-06-30")]
    same(shown["value"], [both])

    saved = drawn(figures["spend_saving"])
    mart = query(demo, "select * from marts.icp_spend_saving")
    same(sorted(saved["value"]), sorted([*mart["saved_share"], *mart["value_kept_share"]]))


def test_agreement_backtest_and_verdicts_are_those_of_the_marts(demo: BuildResult, figures: Figures) -> None:
    overlaps = figures["agreement"].table.set_index(["cycle_end", "pair"])["overlap"]
    mart = query(demo, "select * from marts.icp_agreement").set_index(["cycle_end", "pair"])["overlap"]
    same(overlaps, mart.loc[overlaps.index])
    same(drawn(figures["agreement"])["value"], overlaps)

    curve = drawn(figures["backtest"])
    mart = query(demo, "select * from marts.icp_backtest where cutoff = 'all' and measure = 'value_captured'")
    names = {label: name for name, (label, *_) in SCORERS.items()}
    value = mart.set_index(["scorer", "share"])["value"]
    curve = curve[curve["share"] > 0]
    same(curve["value"], [value[names[row.scorer], row.share] for row in curve.itertuples()])
    assert len(curve) == len(mart)

    verdicts = drawn(figures["cycle_review"])
    mart = query(demo, "select * from marts.icp_cycle_review where is_finished and cycle_start >= '2024-07-01'")
    counts = mart["verdict"].map(VERDICTS).fillna("not judged").value_counts().to_dict()
    assert verdicts["series"].value_counts().to_dict() == counts

    emerged = drawn(figures["emerging"])
    mart = query(demo, "select * from marts.icp_emerging_attributes where cycle_start = '2025-06-01'")
    same(sorted(emerged["value"]), sorted([*mart["latest_win_rate"], *mart["before_win_rate"]]))


def test_retention_of_few_customers_is_not_shown(demo: BuildResult, figures: Figures, altered: duckdb.DuckDBPyConnection) -> None:
    shown = drawn(figures["retention"]).dropna(subset="value").set_index(["series", "segment_id"])
    mart = query(demo, "select * from marts.icp_segments where starting_mrr_customer_count >= 10").set_index("segment_id")
    assert len(mart) < len(query(demo, "select * from marts.icp_segments"))
    for series, measure in (("net, with expansion", "net"), ("gross, without", "gross")):
        one = shown.loc[series]
        assert set(one.index) == set(mart.index)
        for column, end in (("value", ""), ("low", "_low"), ("high", "_high")):
            same(one[column], mart.loc[one.index, f"{measure}_revenue_retention{end}"])
    assert "too few, n 9" in texts(figures["retention"])

    altered.execute(
        """
        update marts.cohort_retention
        set cohort_customers = case when segment_id = (select min(segment_id) from marts.icp_segments) then 3 else 0 end
        where segment_id <> 'all' and cohort_month < '2025-01-01'
        """
    )  # nine in each quarter
    [few] = made_of(altered, "cohort_retention").values()
    assert "2024 Q1" in texts(figures["cohort_retention"])
    assert "2024 Q1" not in texts(few)


FILTERED = [
    "segment_lifts",
    "scorecard",
    "retention",
    "cohort_retention",
    "mrr_movements",
    "funnel",
    "alignment",
    "seasonality",
    "cycle_review",
]


@pytest.mark.parametrize("id", FILTERED)
def test_a_chart_follows_the_filter(demo: BuildResult, figures: Figures, id: str) -> None:
    figure = figures[id]
    assert {param["name"]: param["value"] for param in figure.spec["params"]} == {"segment": "all", "tier": "all"}
    segment, tier = next(
        query(demo, "select segment_id, tier from marts.icp_segments where tier = 'deprioritized'").itertuples(index=False)
    )
    everything, one, of_tier = texts(figure), texts(figure, segment=segment, tier=tier), texts(figure, tier=tier)
    assert one != everything
    # The demo company has one deprioritized segment: the segment is the tier.
    assert one == of_tier


def test_the_funnel_of_a_segment_shows_its_own_figures(demo: BuildResult, figures: Figures) -> None:
    for row in query(demo, "select * from marts.icp_funnel where stage = 'lead'").itertuples():
        share = f"{100 * row.conversion_180_days_rate:.0f} % of {row.matured_180_days_count:,}"
        assert share in texts(figures["funnel"], segment=row.segment_id, tier=row.tier)


def test_where_nothing_is_known_a_chart_says_why(altered: duckdb.DuckDBPyConnection) -> None:
    for (name,) in altered.execute("select table_name from duckdb_tables() where database_name = 'memory'").fetchall():
        altered.execute(f'delete from marts."{name}"')
    for figure in charts.figures(altered, COMPANY).values():
        assert figure.spec is None, figure.id
        assert len(figure.note) > 20, figure.id
        assert figure.table.empty, figure.id


def test_an_unknown_figure_is_absent_and_not_zero(altered: duckdb.DuckDBPyConnection) -> None:
    altered.execute("update marts.icp_segments set lift = null, lift_low = null, lift_high = null where tier = 'tier_1'")
    altered.execute(
        "update marts.icp_agreement set overlap = null, overlap_low = null, overlap_high = null where pair = 'sales_icp'"
    )
    altered.execute("update marts.icp_funnel set conversion_180_days_rate = null, matured_180_days_count = 0")
    made = made_of(altered, "segment_lifts", "agreement", "funnel")
    assert "tier_1" not in set(drawn(made["segment_lifts"])["tier"])
    assert "1 segment without a known lift" in made["segment_lifts"].note
    assert drawn(made["agreement"]).query("row == 2")["value"].isna().all()
    assert "none is old enough" in texts(made["funnel"])


def test_hostile_names_are_shown_as_they_are(altered: duckdb.DuckDBPyConnection) -> None:
    altered.execute("update marts.icp_segments set segment_name = $1 || segment_id", [HOSTILE])
    altered.execute("update marts.icp_attribute_effects set value = $1 || value", [HOSTILE])
    altered.execute("update marts.icp_spend set channel = $1 || channel", [HOSTILE])
    altered.execute("update marts.icp_seasonality set value = $1 || value where dimension = 'industry'", [HOSTILE])
    altered.execute("update marts.icp_value_clusters set value_cluster = $1 || value_cluster", [HOSTILE])
    altered.execute("update marts.icp_emerging_attributes set value = $1 || value", [HOSTILE])
    altered.execute("update marts.icp_scorecard set definition = $1 || definition", [HOSTILE])
    made = made_of(
        altered, "segment_lifts", "effects", "spend", "seasonality", "clusters", "emerging", "scorecard", "cycle_review"
    )
    for id in made:
        assert any(HOSTILE in str(value) for row in made[id].spec["data"]["values"] for value in row.values()), id
        svg = vl_convert.vegalite_to_svg(made[id].spec | {"width": 340})
        assert "<script" not in svg, id
        assert "&lt;script&gt;" in svg, id
        assert not any("x" * 150 in text for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)), id


def test_a_large_company_does_not_make_a_large_report(altered: duckdb.DuckDBPyConnection) -> None:
    for i in range(40):
        for name, column in (("icp_spend", "channel"), ("icp_seasonality", "value"), ("icp_attribute_effects", "value")):
            altered.execute(f"insert into marts.{name} select * replace ({column} || {i} as {column}) from demo.marts.{name}")
    made = charts.figures(altered, COMPANY)
    assert sum(len(json.dumps(figure.spec)) for figure in made.values()) < 700_000
    for id, limit in (("spend", "largest of"), ("seasonality", "Drawn are the"), ("effects", "surest are drawn")):
        assert limit in made[id].note, id


def test_the_command_line_waits_for_nothing_that_draws_or_learns() -> None:
    code = "import sys, icp_refinery.cli; learns = 'sklearn' in sys.modules; import icp_refinery.report; "
    code += "sys.exit(learns or 'altair' in sys.modules)"
    source = Path(charts.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, check=False).returncode == 0
