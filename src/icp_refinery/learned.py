"""What was learned is not learned again: of the same frames the same code says the same.

Answers are files in dbt's target folder, which `dbt clean` empties.
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
from typing import Any

import pandas as pd
from dbt.flags import get_flags

from icp_refinery.apart import apart

PACKAGE = Path(__file__).parent
KEPT_DAYS = 14  # since an answer was last asked for


def learned(function: str, *args: Any, **kwargs: Any) -> pd.DataFrame:
    """What the function "module:name" of `icp_refinery.learning` returns, from a process `apart` or an earlier build.

    With `--full-refresh` it is learned anew.
    """
    flags = get_flags()
    asked = pickle.dumps((_code(), function, args, kwargs))
    answer = Path(flags.PROJECT_DIR, flags.TARGET_PATH or "target", "learned", hashlib.sha256(asked).hexdigest())
    if not flags.FULL_REFRESH:
        with suppress(Exception):  # where there is no answer, or half of one
            known = pickle.loads(answer.read_bytes())
            os.utime(answer)
            return known
    made = apart(f"icp_refinery.learning.{function}", *args, **kwargs)
    with suppress(OSError):  # without room for it, it is learned again
        _keep(answer, pickle.dumps(made))
    return made


@cache
def _code() -> str:
    """What else an answer depends on: the code that learns, and the libraries that it learns with."""
    sources = [PACKAGE / "project.py", *sorted((PACKAGE / "learning").rglob("*.py"))]
    libraries = [f"{name} {version(name)}" for name in ("numpy", "pandas", "scipy", "scikit-learn")]
    said = [
        platform.python_version(),
        platform.machine(),
        *libraries,
        *(source.read_text(encoding="utf-8") for source in sources),
    ]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def _keep(answer: Path, content: bytes) -> None:
    answer.parent.mkdir(parents=True, exist_ok=True)
    part = answer.with_suffix(f".{os.getpid()}")
    part.write_bytes(content)
    part.replace(answer)
    for other in answer.parent.iterdir():
        if other.stat().st_mtime < time.time() - KEPT_DAYS * 86_400:
            other.unlink(missing_ok=True)
