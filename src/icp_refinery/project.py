"""The project's folder."""

from pathlib import Path


def project_directory() -> Path:
    """The dbt project: the current folder, if it has a dbt_project.yml, else this package's own.

    Not a folder above: its settings, and its models, could be anybody's.
    """
    if (Path.cwd() / "dbt_project.yml").exists():
        return Path.cwd()
    return Path(__file__).resolve().parents[2]
