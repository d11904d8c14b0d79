"""Every study at full size: `python -m icp_refinery.studies.report [FILE]` writes the report, `docs/validation.md`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from icp_refinery.studies.backtest import backtest_study
from icp_refinery.studies.effects import clusters_section, effects_section
from icp_refinery.studies.review import cycle_review_study
from icp_refinery.studies.scores import scores_study
from icp_refinery.studies.seasonality import seasonality_study
from icp_refinery.studies.segments import segments_study

REPORT = Path("docs") / "validation.md"
# Each runs its study at full size and returns a section in Markdown; a new one is a line here.
SECTIONS: list[Callable[[], str]] = [
    segments_study,
    scores_study,
    effects_section,
    clusters_section,
    backtest_study,
    seasonality_study,
    cycle_review_study,
]
BELOW = "<!-- From here on written by `make validate`. -->\n"


def write_report(file: Path = REPORT, sections: list[Callable[[], str]] | None = None) -> None:
    """
    Run the studies, one after the other, and write their sections to `file`, below what people wrote there. Says on stderr
    which one is running.
    """
    kept = file.read_text(encoding="utf-8").partition(BELOW)[0] if file.exists() else ""
    parts = [kept + BELOW]
    for section in SECTIONS if sections is None else sections:
        print(f"{section.__module__}.{section.__name__}", file=sys.stderr, flush=True)
        parts.append(section().strip() + "\n")
    file.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    write_report(*(Path(argument) for argument in sys.argv[1:2]))
