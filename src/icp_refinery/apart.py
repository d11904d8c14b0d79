"""Calls a function in a Python process of its own.

dbt runs models in threads of one interpreter: long learning and the rendering of SQL there wait for each other.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any


def apart(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `function(*args, **kwargs)` returns. The function, what it is given and what it returns must pickle.

    Raises what the function raises; RuntimeError where its process ends without an answer, as when memory ran out.
    """
    # -P: what lies in the current folder is not imported.
    command = [sys.executable, "-P", "-m", "icp_refinery.apart"]
    done = subprocess.run(command, input=pickle.dumps((function, args, kwargs)), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"The process of {function.__name__} ended with code {done.returncode}, without an answer.")
    returned, raised = pickle.loads(done.stdout)
    if raised is not None:
        raise raised
    return returned


def _answer() -> None:
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)  # what the function prints is no part of the answer
        function, args, kwargs = pickle.load(sys.stdin.buffer)
        try:
            said = function(*args, **kwargs), None
        except Exception as problem:
            said = None, problem
        pickle.dump(said, answer)


if __name__ == "__main__":
    _answer()
