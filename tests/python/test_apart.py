"""A function in a process of its own answers, or fails, as in this one."""

from __future__ import annotations

import operator
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import icp_refinery.apart
from icp_refinery.apart import apart, prepare

# The descriptors of a process that are sockets: one leads to who asks.
SOCKETS = "[fd for fd in range(64) if 'socket' in __import__('os').path.realpath(f'/dev/fd/{fd}')]"


def test_it_returns_what_the_function_returns_from_another_process() -> None:
    given = pd.DataFrame({"day": pd.to_datetime(["2024-02-29", None]), "name": ["訂單", None]})
    pd.testing.assert_frame_equal(apart(pd.concat, [given, given], ignore_index=True), pd.concat([given] * 2, ignore_index=True))
    assert apart(os.getpid) != os.getpid()


def test_what_is_printed_is_no_part_of_the_answer(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icp_refinery.apart._server", None)  # one that writes where this test reads
    assert apart(print, "said") is None
    assert capfd.readouterr().err == "said\n"


def test_it_raises_what_the_function_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        apart(operator.truediv, 1, 0)


def test_a_process_that_ends_without_an_answer_is_a_sentence() -> None:
    with pytest.raises(RuntimeError, match=r"^The process of raise_signal ended without an answer, as where memory ran out\.$"):
        apart(signal.raise_signal, signal.SIGKILL)
    assert apart(len, "abc") == 3


def test_an_answer_that_is_cut_off_is_a_sentence() -> None:
    half = pickle.dumps(bytes(20_000))[:10_000]
    written = f"[__import__('os').write(fd, half) for fd in {SOCKETS}] and __import__('os')._exit(9)"
    with pytest.raises(RuntimeError, match="eval ended without an answer"):
        apart(eval, written, {"half": half})


def test_it_imports_nothing_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icp_refinery.apart._server", None)
    (tmp_path / "pickle.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert apart(len, "abc") == 3


def test_what_is_imported_beforehand_is_there_for_each_call() -> None:
    is_there = "'wave' in __import__('sys').modules"
    assert not apart(eval, is_there)
    prepare("wave", "there_is_no_such_module")
    assert apart(eval, is_there)


def test_one_process_is_forked_for_each_call_also_after_one_that_failed() -> None:
    first = apart(os.getppid)
    with pytest.raises(ZeroDivisionError):
        apart(operator.truediv, 1, 0)
    assert apart(os.getppid) == first != os.getpid()


def test_after_the_end_of_the_process_that_forks_there_is_another() -> None:
    first = apart(os.getppid)
    os.kill(first, signal.SIGKILL)
    icp_refinery.apart._server[0].wait()
    assert apart(os.getppid) != first


def test_a_fork_asks_a_process_of_its_own() -> None:
    mine = apart(os.getppid)
    forked = os.fork()
    if not forked:
        os._exit(apart(os.getppid) == mine)
    assert os.waitpid(forked, 0)[1] == 0


def test_nothing_is_left_of_a_process_that_was_killed() -> None:
    code = "import os, signal; from icp_refinery.apart import apart; apart(len, ''); signal.raise_signal(signal.SIGKILL)"
    # Read to the end: to that of the last process that writes there.
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
