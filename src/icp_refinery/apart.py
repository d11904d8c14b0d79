"""Calls functions in Python processes of their own.

dbt runs models in threads of one interpreter: long learning and the rendering of SQL there wait for each other. One process
imports what the functions need, once, and is forked for each call.
"""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

_LOCK = threading.Lock()
_server: tuple[subprocess.Popen[bytes], socket.socket] | None = None


def apart(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `function(*args, **kwargs)` returns. The function, what it is given and what it returns must pickle.

    Raises what the function raises; RuntimeError where its process ends without an answer, as when memory ran out.
    """
    asked = pickle.dumps((function, args, kwargs))
    try:
        with _fork(function.__module__) as connection, connection.makefile("rwb") as stream:
            stream.write(asked)
            stream.flush()
            returned, raised = pickle.load(stream)
    except (ConnectionError, EOFError, pickle.UnpicklingError):  # the last of an answer that was cut off
        raise RuntimeError(f"The process of {function.__name__} ended without an answer, as where memory ran out.") from None
    if raised is not None:
        raise raised
    return returned


def prepare(*modules: str) -> None:
    """Has modules imported, for the calls that will come, while this process does something else."""
    for module in modules:
        _fork(module).close()


def collect_rarely() -> None:
    """What is imported or parsed lives to the end: Python need not search it for garbage hundreds of times before."""
    gc.freeze()
    atexit.register(gc.unfreeze)
    gc.set_threshold(20_000, 20, 20)


def _fork(module: str) -> socket.socket:
    """A connection to a process to come, which is forked when the module is imported."""
    global _server
    with _LOCK:
        if _server is None or _server[0].poll() is not None:  # that of another process counts as ended
            _server = _started()
        mine, theirs = socket.socketpair()
        mine.sendall(f"{module}\n".encode())
        with theirs, suppress(ConnectionError):  # there is no answer then
            socket.send_fds(_server[1], [b"."], [theirs.fileno()])
    return mine


def _started() -> tuple[subprocess.Popen[bytes], socket.socket]:
    mine, theirs = socket.socketpair()
    # -P: what lies in the current folder is not imported. One thread each: it is not alone.
    command = [sys.executable, "-P", "-m", "icp_refinery.apart"]
    with theirs:
        # What a function prints goes where messages go: to 2.
        return subprocess.Popen(command, stdin=theirs, stdout=2, env=os.environ | {"OMP_NUM_THREADS": "1"}), mine


@atexit.register
def _end() -> None:
    if _server is not None:
        _server[1].close()
        _server[0].wait()


def _serve(control: socket.socket) -> None:
    """Forks until nobody is left to ask."""
    collect_rarely()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    forks: list[int] = []
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        forks = [fork for fork in forks if not os.waitpid(fork, os.WNOHANG if descriptors else 0)[0]]
        if not descriptors:
            return
        with socket.socket(fileno=descriptors[0]) as connection, connection.makefile("rb", buffering=0) as asked:
            with suppress(ImportError):  # the fork says so
                import_module(asked.readline().decode().strip())
            gc.freeze()
            fork = os.fork()
            if not fork:
                _answer(connection)
                os._exit(0)  # at once: what was imported need not be taken down
            forks.append(fork)


def _answer(connection: socket.socket) -> None:
    with connection.makefile("rwb") as stream, suppress(EOFError, ConnectionError):  # nobody asks, or listens, any more
        function, args, kwargs = pickle.load(stream)
        try:
            said = function(*args, **kwargs), None
        except Exception as problem:
            said = None, problem
        sys.stdout.flush()
        pickle.dump(said, stream)


if __name__ == "__main__":
    _serve(socket.socket(fileno=0))
    os._exit(0)
