"""The segments side by side: one static table, laid out by Great Tables."""

import re
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from icp_refinery.report import words
from icp_refinery.report.tables.model import Company

# Spanner, heading, how it is written, column, its interval.
FIGURES = [
    ("First deals", "n", "count", "pursuit_count", None),
    ("First deals", "Win rate", "share", "win_rate", ("win_rate_low", "win_rate_high")),
    ("First deals", "Lift", "number", "lift", ("lift_low", "lift_high")),
    ("First deals", "Value, modelled ({value_unit})", "money", "value_per_pursuit", None),
    ("Orders", "n", "count", "order_count", None),
    ("Orders", "ACV ({currency})", "money", "average_annual_contract_value", None),
    ("Orders", "TCV ({currency})", "money", "average_total_contract_value", None),
    ("Orders", "Multi-year", "share", "multi_year_share", None),
    ("Orders", "Add-on", "share", "add_on_share", None),
    ("A year later", "n", "count", "retention_customer_count", None),
    ("A year later", "Customers kept", "share", "customer_retention", None),
    ("A year later", "n with MRR", "count", "starting_mrr_customer_count", None),
    ("A year later", "GRR", "share", "gross_revenue_retention", ("gross_revenue_retention_low", "gross_revenue_retention_high")),
    ("A year later", "NRR", "share", "net_revenue_retention", ("net_revenue_retention_low", "net_revenue_retention_high")),
    ("All", "Accounts", "count", "account_count", None),
    ("All", "Customers", "count", "customer_count", None),
    ("All", "Net amount ({currency})", "money", "net_amount", None),
]


def comparison(segments: list[dict[str, Any]], company: Company) -> Markup:
    """A row per segment, grouped by tier, its economics under spanners.

    Great Tables escapes what it is given. Its own style sheet and style attributes are left out: the page's policy
    allows neither, and the page has a style.
    """
    import great_tables as gt

    figures = [figure for figure in FIGURES if company.shows(figure[3])]
    frame = pd.DataFrame([line(segment, figures) for segment in segments])
    labels = {f"of-{column}": company.says(label) for _, label, _, column, _ in figures}
    table = gt.GT(frame, rowname_col="of-name", groupname_col="of-tier").cols_label(cases=labels)
    for spanner in dict.fromkeys(figure[0] for figure in figures):
        table = table.tab_spanner(spanner, [f"of-{column}" for name, _, _, column, _ in figures if name == spanner])
    table = table.cols_align("right", list(labels))
    html = table.as_raw_html(make_page=False)
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    html = re.sub(r' style="[^"]*"', "", html)
    html = html[html.index("<table") : html.index("</table>") + len("</table>")]
    html = re.sub(r"(<th [^>]*>)(</th>)", r"\1Segment\2", html, count=1)  # the stub's head is empty
    return Markup(marked(html, segments))


def line(segment: dict[str, Any], figures: list[Any]) -> dict[str, str]:
    cells = {"of-tier": words.tier(segment["tier"]), "of-name": segment["segment_name"]}
    for _, _, kind, column, interval in figures:
        text = words.KINDS[kind](segment[column])
        if interval and not any(words.is_missing(segment[end]) for end in interval):
            text += f" ({' to '.join(words.KINDS[kind](segment[end]) for end in interval)})"
        cells[f"of-{column}"] = text
    return cells


def marked(html: str, segments: list[dict[str, Any]]) -> str:
    """The rows with what the page's filter looks for, in the order of the segments."""
    tiers = iter(dict.fromkeys(segment["tier"] for segment in segments))
    of_segment = iter(segments)

    def row(found: re.Match[str]) -> str:
        if found[1]:
            return f'<tr data-tier="{escape(next(tiers))}"{found[1]}>'
        segment = next(of_segment)
        return f'<tr data-segment="{escape(segment["segment_id"])}" data-tier="{escape(segment["tier"])}">'

    head, body = html.split("<tbody", 1)
    return head + "<tbody" + re.sub(r'<tr( class="gt_group_heading_row")?>', row, body)
