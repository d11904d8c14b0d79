"""The project's folder."""

from pathlib import Path


def project_directory() -> Path:
    """The dbt project: the nearest folder upwards with a dbt_project.yml, else this package's own."""
    for folder in [Path.cwd(), *Path.cwd().parents]:
        if (folder / "dbt_project.yml").exists():
            return folder
    return Path(__file__).resolve().parents[2]
