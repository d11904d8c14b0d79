"""The project: where its folder is, and the names that all its parts share."""

from pathlib import Path

TIERS = ("tier_1", "tier_2", "tier_3", "deprioritized")
PRIORITIZED = TIERS[:2]
# What people read for a tier; the codes above are for tables.
TIER_NAMES = {
    "tier_1": "Best fit",
    "tier_2": "Good fit",
    "tier_3": "Neutral: no evidence",
    "deprioritized": "Low fit",
}
TIER_WORDS = {tier: name.split(":")[0].lower() for tier, name in TIER_NAMES.items()}  # the same within a sentence
MOST_ACCOUNTS = 10_000  # pursuits that the backtest reads, and as many accounts that were only paid for
NOT_IN_PATHS = "?\\"  # DuckDB opens another file than the one that has these in its path
OUTCOMES = ("won", "high_value", "multi_year", "add_on", "retained", "expanded")


def project_directory() -> Path:
    """The dbt project: the current folder, if it has a dbt_project.yml, else this package's own.

    Not a folder above: its settings, and its models, could be anybody's.
    """
    if (Path.cwd() / "dbt_project.yml").exists():
        return Path.cwd()
    return Path(__file__).resolve().parents[2]
