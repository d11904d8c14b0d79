"""What was learned is not learned again: of the same frames the same code says the same.

Answers are files in dbt's target folder.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbt.flags import get_flags

from icp_refinery import permissions
from icp_refinery.apart import apart

if TYPE_CHECKING:
    import pandas as pd

PACKAGE = Path(__file__).parent
LIBRARIES = ("icp-refinery", "joblib", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "threadpoolctl")
KEPT_DAYS = 14  # since an answer was last asked for


def learned(function: str, *args: Any, **kwargs: Any) -> pd.DataFrame:
    """What the function "module:name" of `icp_refinery.learning` returns, from a process `apart` or an earlier build.

    With `--full-refresh` it is learned anew.
    """
    flags = get_flags()
    answer = Path(flags.PROJECT_DIR, flags.TARGET_PATH or "target", "learned", _name(function, args, kwargs))
    if not flags.FULL_REFRESH:
        with suppress(Exception):  # where there is no answer, or half of one
            known = pickle.loads(answer.read_bytes())
            with suppress(OSError):
                os.utime(answer)
            return known
    made = apart(f"icp_refinery.learning.{function}", *args, **kwargs)
    if code() == code_at_first():  # else a process may have imported other code than that of the name
        with suppress(OSError):  # without room for it, it is learned again
            permissions.keep(answer, pickle.dumps(made))
            _forget(answer.parent)
    return made


def _name(function: str, args: tuple, kwargs: dict[str, Any]) -> str:
    return hashlib.sha256(pickle.dumps((code_at_first(), function, args, kwargs))).hexdigest()


def code() -> str:
    """What else an answer depends on, as a hash: the code that learns, and the libraries that it learns with."""
    sources = [PACKAGE / name for name in ("project.py", "apart.py", "learned.py")] + sorted((PACKAGE / "learning").rglob("*.py"))
    said = [platform.python_version(), platform.machine(), *(f"{name} {version(name)}" for name in LIBRARIES)]
    read = [source.read_bytes() for source in sources if source.is_file()]
    return hashlib.sha256(pickle.dumps((said, read))).hexdigest()


@cache
def code_at_first() -> str:
    """The same before any process has imported what learns."""
    return code()


def _forget(folder: Path) -> None:
    """Remove the answers that nobody has asked for in a long time."""
    for answer in folder.iterdir():
        if answer.stat().st_mtime < time.time() - KEPT_DAYS * 86_400:
            answer.unlink(missing_ok=True)
