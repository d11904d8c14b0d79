"""When a browser first paints the report, beside a page of as many bytes that is mere text.

python -m benchmarks.paint path/to/published/current [rounds]
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

PAINTED = "performance.getEntriesByName('first-contentful-paint')"
TEXT = "<!doctype html><html lang=en><meta charset=utf-8><title>Text</title><body>" + "<p>Best fit gets 10 % of leads.</p>" * 200


def painted(browser: Browser, page: Path) -> float:
    """Milliseconds from opening a page to its first paint, in a context of its own."""
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        opened = context.new_page()
        opened.goto(page.as_uri())
        opened.wait_for_function(f"{PAINTED}.length > 0")
        return opened.evaluate(f"{PAINTED}[0].startTime")


def main(folder: Path, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        text = Path(made) / "text.html"
        report = folder.resolve() / "report.html"
        text.write_text(f"{TEXT}<script type=text/plain>{'x' * (report.stat().st_size - len(TEXT))}</script>", encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        times = [(painted(browser, report), painted(browser, text)) for _ in range(rounds)]
        of_report, of_text = (statistics.median(each) for each in zip(*times, strict=True))
        print(f"report.html {of_report:.0f} ms, text {of_text:.0f} ms, ratio {of_report / of_text:.2f} (medians of {rounds})")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 15)
