"""How far one machine goes: `python -m benchmarks.one_machine [--lines MILLIONS ...] [--copies N] [--memory LIMIT]`.

The SQL layers of `benchmarks.run` on DuckDB, of its company, or of several copies of it with ids of their own. DuckDB writes
what the limit does not hold to disk. Prints a row per size: seconds on the wall, CPU seconds and peak memory of dbt's process,
the most that was on disk for want of memory, the size of the database, and the seconds of each layer's models.
"""

import argparse
import json
import os
import threading
from collections import Counter
from pathlib import Path

from benchmarks.companies import BENCH, ROOT, company
from benchmarks.run import NO_SEGMENTS, SQL_LAYERS, Project, run_sql
from benchmarks.spark import layer_of


def watch(folder: Path, largest: list[int], done: threading.Event) -> None:
    """Keep the largest size in bytes that the files of a folder have."""
    while not done.wait(1):
        sizes = [0]
        for file in folder.glob("*") if folder.exists() else []:
            try:
                sizes.append(file.stat().st_blocks * 512)
            except FileNotFoundError:
                continue
        largest.append(max(largest.pop(), sum(sizes)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=float, nargs="+", default=[10.0], help="sizes, in millions of order lines")
    parser.add_argument("--copies", type=int, default=1, help="how many companies of that size")
    parser.add_argument("--memory", default="8GB")
    parser.add_argument("--threads", default="2", help="dbt's threads")
    options = parser.parse_args()
    os.environ["ICP_MEMORY"] = options.memory
    print("| order lines | time | CPU | peak memory | spilled | database | by layer |\n|---|---|---|---|---|---|---|")
    for millions in options.lines:
        files, lines = company(millions, options.copies)
        project = Project("here", ROOT, BENCH / f"one_machine_{lines}")
        project.forget()
        run_sql(NO_SEGMENTS, project.database)
        spilled, done = [0], threading.Event()
        watching = threading.Thread(target=watch, args=(Path(f"{project.database}.tmp"), spilled, done))
        watching.start()
        try:
            select = ["--select", *SQL_LAYERS, "--exclude", "resource_type:test", "--threads", options.threads]
            built = project.dbt("build", *select, files=files)
        finally:
            done.set()
            watching.join()
        results = json.loads((project.work / "target" / "run_results.json").read_text())["results"]
        nodes = json.loads((project.work / "target" / "manifest.json").read_text())["nodes"]
        layers: Counter[str] = Counter()
        for result in results:
            if result["unique_id"].startswith("model."):
                layers[layer_of(nodes[result["unique_id"]])] += result["execution_time"]
        size = project.database.stat().st_size
        cells = [f"{built.wall:.0f} s", f"{built.cpu:.0f} s", *(f"{n / 1e9:.1f} GB" for n in (built.peak, spilled[0], size))]
        by_layer = ", ".join(f"{layer} {seconds:.0f} s" for layer, seconds in layers.items())
        print(f"| {lines:,} | {' | '.join(cells)} | {by_layer} |", flush=True)


if __name__ == "__main__":
    main()
