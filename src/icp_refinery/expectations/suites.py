"""The suites: one YAML file each, beside this module."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml

SUITES = files(__package__)
KINDS = ("volume", "share", "level", "mix")


def read_suites(folder: Traversable = SUITES) -> list[dict[str, Any]]:
    """The suites in the YAML files of a folder, by file name.

    Raises ValueError, which names the file, where a suite lacks what it needs.
    """
    suites = []
    for path in sorted((path for path in folder.iterdir() if path.name.endswith(".yml")), key=lambda path: path.name):
        suite = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key in ("suite", "relation", "from", "expectations"):
            if not suite.get(key):
                raise ValueError(f"{path.name} has no `{key}`.")
        for item in suite["expectations"]:
            name = item.get("name")
            kinds = [kind for kind in (*KINDS, "type") if kind in item]
            if not name or len(kinds) != 1:
                raise ValueError(f"{path.name}: an expectation needs a name and one of {', '.join(KINDS)}, type: {name or item}.")
            if item.get("severity") not in ("critical", "warning"):
                raise ValueError(f"{path.name}: the severity of {name} is not critical or warning.")
            if lacking := [key for key in ("says", "because") if not item.get(key)]:
                raise ValueError(f"{path.name}: {name} has no `{lacking[0]}`.")
            if "type" not in item and "at" not in suite:
                raise ValueError(f"{path.name}: {name} is over time, and the suite has no `at`.")
        suites.append(suite)
    names = [item["name"] for suite in suites for item in suite["expectations"]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Two expectations have the name {twice[0]}.")
    return suites
