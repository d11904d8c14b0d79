"""`make demo-hubspot`, as a person runs it, on the demo company that the tests have built."""

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, BuildResult


def test_the_demo_ends_with_only_the_edit_by_hand(demo: BuildResult, tmp_path: Path, own_locks: None) -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "hubspot" / "demo.py"), str(tmp_path / "project")],
        env=os.environ | {"ICP_PUBLISHED": str(demo.folder / "published")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stdout
    said = r"^([0-9,]+) companies, ([0-9,]+) contacts, ([0-9,]+) deals would change, 0 of them cleared; ([0-9,]+) withheld"
    [first, second] = re.findall(said, run.stdout, re.MULTILINE)
    companies, contacts, deals, _ = (int(number.replace(",", "")) for number in first)
    assert (companies > 1000, contacts > 2000, deals > 10) == (True, True, True), run.stdout
    assert second == ("0", "0", "0", first[3]), run.stdout
    assert re.search("all [0-9,]+ values are as they were, but for that one", run.stdout)
    assert re.search("ICP contacts: decision makers, best fit: [1-9][0-9]* contacts", run.stdout)
    flow = r"In HubSpot: 'ICP nurture best fit: .*' is switched (\w+)\. .*: (\d+) held out, (\d+) nurture\."
    [(off, held_out, nurture)] = re.findall(flow, run.stdout)
    assert (off, int(held_out) > 10, int(nurture) > 100) == ("off", True, True), run.stdout
    assert "is as it should be (switched off)" in run.stdout
    assert "# Nurture: " in run.stdout
    assert "Best fit: " in run.stdout
    [tier] = re.findall(r"to (tier_[12]) by hand", run.stdout)
    [left] = re.findall(r"The tiers left in HubSpot: (.*?)\. Properties", run.stdout)
    assert re.fullmatch(rf"{{'\d+': '{tier}'}}", left), left
