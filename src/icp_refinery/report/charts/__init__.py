"""The report's figures: each reads the published marts and gives a Vega-Lite chart, its table, and what to know about both."""

from collections.abc import Callable
from dataclasses import replace

import altair as alt

from icp_refinery.report.charts import changes, customers, money, proof, seasons, segments, spend, teams, value
from icp_refinery.report.charts.builder import Figure
from icp_refinery.report.charts.findings import FINDINGS
from icp_refinery.report.tables.model import Company, Marts

FIGURES: tuple[Callable[[Marts, Company], Figure], ...] = (
    money.money,
    segments.segment_lifts,
    value.effects,
    value.scorecard,
    value.score_calibration,
    customers.retention,
    customers.cohort_retention,
    customers.cohort_retention_net_revenue,
    customers.cohort_retention_gross_revenue,
    customers.mrr_movements,
    customers.clusters,
    teams.funnel,
    teams.alignment,
    teams.agreement,
    spend.spend,
    spend.spend_saving,
    seasons.seasonality,
    proof.backtest,
    changes.cycle_review,
    changes.emerging,
)


def figures(marts: Marts, company: Company) -> dict[str, Figure]:
    """Every figure by its id, in reading order; `marts` has the schema `marts`.

    Tests hold the charts against the schema of Vega-Lite, not every report: that takes as long as all else.
    """
    with alt.utils.schemapi.debug_mode(False):
        return {figure.id: with_finding(figure, marts, company) for figure in (make(marts, company) for make in FIGURES)}


def with_finding(figure: Figure, marts: Marts, company: Company) -> Figure:
    """The figure with what it shows; one that shows nothing says so in its note."""
    if figure.spec is None:
        return figure
    finding = FINDINGS[figure.id](figure.table, company, marts)
    return replace(figure, finding=finding, spec=figure.spec | {"description": f"{figure.title}. {finding}"})
