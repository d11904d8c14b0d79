"""A function in a process of its own answers, or fails, as in this one."""

from __future__ import annotations

import os
import pickle
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from icp_refinery.apart import IDLE, apart, start


def test_it_returns_what_the_function_returns_from_another_process() -> None:
    given = pd.DataFrame({"day": pd.to_datetime(["2024-02-29", None]), "name": ["訂單", None]})
    pd.testing.assert_frame_equal(
        apart("pandas:concat", [given, given], ignore_index=True), pd.concat([given] * 2, ignore_index=True)
    )
    assert apart("os:getpid") != os.getpid()


def test_what_is_printed_is_no_part_of_the_answer(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icp_refinery.apart.IDLE", [])  # a process that writes where this test reads
    assert apart("builtins:print", "said") is None
    assert capfd.readouterr().err == "said\n"


def test_it_raises_what_the_function_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        apart("operator:truediv", 1, 0)


def test_what_is_raised_says_where() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        apart("fractions:Fraction", 1, 0)
    assert "fractions.py" in raised.value.__notes__[0]


def test_a_waiting_process_that_was_killed_is_not_asked() -> None:
    mine = apart("os:getpid")
    os.kill(mine, signal.SIGKILL)
    while any(process.pid == mine and process.poll() is None for process in IDLE):
        time.sleep(0.01)
    assert apart("os:getpid") != mine


def test_a_process_that_ends_without_an_answer_is_a_sentence() -> None:
    with pytest.raises(RuntimeError, match=r"signal:raise_signal ended with code -9, without an answer\.$"):
        apart("signal:raise_signal", signal.SIGKILL)


def test_an_answer_that_is_cut_off_is_a_sentence() -> None:
    half = pickle.dumps(bytes(20_000))[:10_000]  # 3 is where answers go
    with pytest.raises(RuntimeError, match="builtins:eval ended with code 9, without an answer"):
        apart("builtins:eval", "__import__('os').write(3, half) and __import__('os')._exit(9)", {"half": half})


def test_it_imports_nothing_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icp_refinery.apart.IDLE", [])  # another process
    (tmp_path / "pickle.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert apart("builtins:len", "abc") == 3


def test_a_process_that_was_started_has_its_module_and_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icp_refinery.apart.IDLE", [])
    start("colorsys")
    assert apart("builtins:eval", "'colorsys' in __import__('sys').modules")


def test_a_process_answers_again_also_after_a_function_that_raised() -> None:
    first = apart("os:getpid")
    with pytest.raises(ZeroDivisionError):
        apart("operator:truediv", 1, 0)
    assert apart("os:getpid") == first


def test_a_fork_asks_a_process_of_its_own() -> None:
    mine = apart("os:getpid")
    forked = os.fork()
    if not forked:
        os._exit(apart("os:getpid") == mine)
    assert os.waitpid(forked, 0)[1] == 0
