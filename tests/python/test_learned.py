"""What was learned is answered from an earlier build: of the same frames, by the same code, and only of them."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from icp_refinery import learned as module
from icp_refinery.learned import learned


def frame() -> pd.DataFrame:
    return pd.DataFrame({"account_id": ["a", "訂單"], "value": [1.5, None], "on": pd.to_datetime(["2024-02-29", None])})


FRAME = frame()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What was asked of a process apart; the answer is a frame with the number of the question."""
    questions: list[tuple] = []
    flags = SimpleNamespace(PROJECT_DIR=str(tmp_path), TARGET_PATH=None, FULL_REFRESH=False)
    monkeypatch.setattr(module, "get_flags", lambda: flags)
    monkeypatch.setattr(module, "apart", lambda *given, **_: questions.append(given) or FRAME.assign(question=len(questions)))
    return questions


def test_the_same_question_is_answered_once(asked: list[tuple], tmp_path: Path) -> None:
    first, again = learned("value:developed", frame(), horizon=24), learned("value:developed", frame(), horizon=24)
    pd.testing.assert_frame_equal(first, again)
    assert [function for function, _ in asked] == ["icp_refinery.learning.value:developed"]
    assert len(list((tmp_path / "target" / "learned").iterdir())) == 1


@pytest.mark.parametrize(
    "other",
    [
        lambda: learned("value:expected_value", FRAME, horizon=24),
        lambda: learned("value:developed", FRAME, horizon=12),
        lambda: learned("value:developed", FRAME.assign(value=[1.5, 0.0]), horizon=24),
        lambda: learned("value:developed", FRAME.assign(value=FRAME["value"].astype("float32")), horizon=24),
        lambda: learned("value:developed", FRAME.iloc[::-1], horizon=24),
        lambda: learned("value:developed", FRAME.rename(columns={"on": "at"}), horizon=24),
    ],
)
def test_another_question_is_asked(asked: list[tuple], other: Callable[[], pd.DataFrame]) -> None:
    assert learned("value:developed", FRAME, horizon=24)["question"].eq(1).all()
    assert other()["question"].eq(2).all()


def test_other_code_and_a_full_refresh_learn_anew(asked: list[tuple], monkeypatch: pytest.MonkeyPatch) -> None:
    learned("value:developed", FRAME)
    monkeypatch.setattr(module, "code", lambda: "another")
    monkeypatch.setattr(module, "code_at_first", lambda: "another")
    learned("value:developed", FRAME)
    module.get_flags().FULL_REFRESH = True
    learned("value:developed", FRAME)
    assert len(asked) == 3
    module.get_flags().FULL_REFRESH = False
    assert learned("value:developed", FRAME)["question"].eq(3).all()  # the newest answer stays


def test_while_code_changes_nothing_is_kept(asked: list[tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "code", lambda: "newer")
    assert learned("value:developed", FRAME)["question"].eq(1).all()
    assert not (tmp_path / "target" / "learned").exists()


def test_the_code_is_that_of_each_module_that_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(module.PACKAGE, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    seen = {module.code()}
    for changed in ("project.py", "apart.py", "learning/tables.py", "learning/effects/leaks.py"):
        (tmp_path / changed).write_text((tmp_path / changed).read_text() + "# changed\n")
        seen.add(module.code())
    monkeypatch.setattr(module, "version", lambda name: f"{name} 99")
    seen.add(module.code())
    assert len(seen) == 6
    (tmp_path / "learning" / ".#tables.py").symlink_to("an editor's lock")
    assert module.code() in seen


@pytest.mark.parametrize("content", [b"", b"half of", b"\x80\x04\x95"])
def test_a_broken_answer_is_learned_anew(asked: list[tuple], tmp_path: Path, content: bytes) -> None:
    learned("value:developed", FRAME)
    [answer] = (tmp_path / "target" / "learned").iterdir()
    assert [stat.S_IMODE(answer.parent.stat().st_mode)] == [0o700]
    answer.write_bytes(content)
    assert learned("value:developed", FRAME)["question"].eq(2).all()


def test_answers_that_nobody_asks_for_go(asked: list[tuple], tmp_path: Path) -> None:
    for horizon in (1, 2, 3):
        learned("value:developed", FRAME, horizon=horizon)
    long_ago = time.time() - (module.KEPT_DAYS + 1) * 86_400
    for answer in (tmp_path / "target" / "learned").iterdir():
        os.utime(answer, (long_ago, long_ago))
    learned("value:developed", FRAME, horizon=2)  # asked for again: it stays
    learned("value:developed", FRAME, horizon=4)
    assert len(list((tmp_path / "target" / "learned").iterdir())) == 2
    assert len(asked) == 4


def test_without_room_for_the_answer_it_is_given_all_the_same(asked: list[tuple], tmp_path: Path) -> None:
    (tmp_path / "target").write_text("a file, and no folder")
    assert learned("value:developed", FRAME)["question"].eq(1).all()
