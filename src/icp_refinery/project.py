"""The project: where its folder is, and the names that all its parts share."""

from pathlib import Path

TIERS = ("tier_1", "tier_2", "tier_3", "deprioritized")
OUTCOMES = ("won", "high_value", "multi_year", "add_on", "retained", "expanded")


def project_directory() -> Path:
    """The dbt project: the nearest folder upwards with a dbt_project.yml, else this package's own."""
    for folder in [Path.cwd(), *Path.cwd().parents]:
        if (folder / "dbt_project.yml").exists():
            return folder
    return Path(__file__).resolve().parents[2]
