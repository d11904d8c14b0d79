"""Inputs that are large in one direction: no row is lost, and time and memory are bounded.

`make test` builds them all as one small company; `make validate` each at full size, and says what it took.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from conftest import ROOT, frame, start_build, what_failed
from icp_refinery.warehouse import MOST_TRAITS
from large_inputs import CASES, write_companies

FULL = bool(os.environ.get("ICP_LARGE_INPUTS"))
MINUTES, GIGABYTES = 20, 8  # at full size, on two cores


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [[kind] for kind in CASES] if FULL else [[*CASES]], ids=" and ".join)
def test_a_large_input_is_built_whole_in_bounded_time_and_memory(kinds: list[str], tmp_path: Path) -> None:
    counts = write_companies(tmp_path / "files", *(CASES[kind][0](CASES[kind][2 if FULL else 1]) for kind in kinds))
    started = time.monotonic()
    process = start_build(tmp_path, tmp_path / "files", unit_tests=False, backtests=FULL)
    gigabytes = 0.0
    while process.is_alive():
        gigabytes = max(gigabytes, _peak_memory(process.pid))
        time.sleep(0.1)
    process.join()
    minutes = (time.monotonic() - started) / 60
    print(json.dumps({"kinds": kinds, "minutes": round(minutes, 1), "gigabytes": round(gigabytes, 1)}))
    assert process.exitcode == 0, what_failed((tmp_path / "output").read_text())
    database = tmp_path / "icp.duckdb"
    rejects = frame(database, "(select entity, count(*) as count from input.input_rejects group by entity)")
    rejected = dict(zip(rejects["entity"], rejects["count"], strict=True))
    for entity, count in counts.items():
        accepted = frame(database, f"(select count(*) as count from input.input_{entity})")["count"][0]
        assert accepted + rejected.get(entity, 0) == count, entity
    assert minutes < MINUTES
    assert gigabytes < GIGABYTES


def _peak_memory(pid: int) -> float:
    """Of a process, in gigabytes; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines.get("VmHWM", "0 kB").split()[0]) / 1e6


def test_what_is_counted_as_not_learned_is_not_read() -> None:
    bounds = (ROOT / "macros" / "bounds.sql").read_text(encoding="utf-8")
    assert f"macro most_learned_traits() %}}{MOST_TRAITS}{{%" in bounds
    said = (ROOT / "seeds" / "reference" / "inferences.csv").read_text(encoding="utf-8")
    assert f"beyond the {MOST_TRAITS} that" in said
