"""Calls a function in a Python process of its own.

dbt runs models in threads of one interpreter: long learning and the rendering of SQL there wait for each other.
"""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import pkgutil
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any

IDLE: list[subprocess.Popen[bytes]] = []  # processes that have answered, for the next call: importing takes seconds


def apart(function: str, *args: Any, **kwargs: Any) -> Any:
    """What the function "module:name" returns. Only that process imports its module; what it is given and returns must pickle.

    Raises what the function raises; RuntimeError where its process ends without an answer, as when memory ran out.
    """
    asked = pickle.dumps((function, args, kwargs))
    process = _idle() or _started()
    try:
        process.stdin.write(asked)
        process.stdin.flush()
        returned, raised = pickle.load(process.stdout)
    except (BrokenPipeError, EOFError, pickle.UnpicklingError):  # the last of an answer that was cut off
        process.kill()
        code = process.wait()
        raise RuntimeError(f"The process of {function} ended with code {code}, without an answer.") from None
    IDLE.append(process)
    if raised is not None:
        raise raised
    return returned


def _idle() -> subprocess.Popen[bytes] | None:
    """A process that lives and waits; None where there is none. (To a fork, those of its parent do not live.)"""
    with suppress(IndexError):
        while (process := IDLE.pop()).poll() is not None:
            pass
        return process
    return None


def start(module: str) -> None:
    """Start a process that imports a module, for a call to come."""
    IDLE.append(_started(module))


def _started(*modules: str) -> subprocess.Popen[bytes]:
    # -P: what lies in the current folder is not imported.
    command = [sys.executable, "-P", "-m", "icp_refinery.apart", *modules]
    # One thread each: it is not alone.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})


@atexit.register
def _end() -> None:
    for process in IDLE:
        process.kill()
        process.wait()


def _answer() -> None:
    """Answers until nobody is left to ask."""
    gc.set_threshold(20_000, 20, 20)  # importing Great Expectations is a tenth shorter
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what a function prints is no part of the answer
        for module in sys.argv[1:]:
            import_module(module)
        while sys.stdin.buffer.peek(1):
            function, args, kwargs = pickle.load(sys.stdin.buffer)
            try:
                said = pkgutil.resolve_name(function)(*args, **kwargs), None
            except Exception as problem:
                problem.add_note(traceback.format_exc())  # pickled, it no longer knows where it was raised
                said = None, problem
            sys.stdout.flush()
            pickle.dump(said, answers)
            answers.flush()


if __name__ == "__main__":
    _answer()
    os._exit(0)  # at once: what it has imported need not be taken down
