"""The look of every chart: colours, signs of the tiers, fonts."""

from typing import Any

from icp_refinery.report import labels

ACCENT, ACCENT_MID, ACCENT_LIGHT = "#1a5f9e", "#74a5d0", "#c5daec"
INK, DARK, MID, LIGHT, FAINT = "#1f2933", "#4a5560", "#8a949e", "#c9ced3", "#eceef0"
TIERS = [tier for tier in labels.TIERS if tier != "all"]
NAMES = {tier: labels.TIERS[tier][0] for tier in TIERS}
TIER_SIGNS = {
    "tier_1": (ACCENT, "circle"),
    "tier_2": (ACCENT_MID, "square"),
    "tier_3": (MID, "diamond"),
    "deprioritized": (DARK, "triangle-down"),
    "unassigned": (LIGHT, "cross"),
}
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": DARK,
        "labelFontSize": 12,
        "titleColor": DARK,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": FAINT,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    },
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "columns": 3,
        "title": None,
        "labelColor": DARK,
        "labelFontSize": 12,
        "labelLimit": 200,
        "symbolStrokeWidth": 2,
    },
    "text": {"color": INK, "fontSize": 12},
    "rule": {"color": DARK},
}
