"""See tests fail: `mutations.py [--sample N] [--seed N] [--only TEXT]` makes each change of `tests/mutations.yml` to a copy of
the project, runs the tests that it names and exits with 1 where one of them passes."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
LISTED = ROOT / "tests" / "mutations.yml"


@dataclass(frozen=True)
class Mutation:
    """One change of one file, and the tests (dbt's, or pytest's `test_...`) that have to fail with it."""

    file: str
    find: str
    replace: str
    fails: list[str]


def listed() -> list[Mutation]:
    """The changes that are written down, one file after another."""
    by_file = yaml.safe_load(LISTED.read_text(encoding="utf-8"))
    return [Mutation(file, **change) for file, changes in by_file.items() for change in changes]


def files_of_tests() -> dict[str, Path]:
    """Where each test is defined: pytest's by function, dbt's unit tests by name, its singular tests by file."""
    found = {path.stem: path for path in (ROOT / "tests" / "singular").glob("*.sql")}
    for pattern, name in {
        "tests/python/test_*.py": r"^def (test_\w+)",
        "tests/spark/test_*.py": r"^def (test_\w+)",
        "*models/**/*unit_tests.yml": r"^  - name: (\w+)",
    }.items():
        for path in ROOT.glob(pattern):
            found |= dict.fromkeys(re.findall(name, path.read_text(encoding="utf-8"), re.MULTILINE), path)
    return found


class Copy:
    """A copy of the project to change, with a small built company for dbt's unit tests to look types up in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = ["git", "ls-files", "-co", "--exclude-standard"]
        for name in subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        self.env = os.environ | {"PYTHONPATH": f"{folder / 'src'}", "ICP_DATABASE": str(folder / "small.duckdb")}
        self.env["ICP_UNIT_TESTS"] = "true"
        (folder / "small").mkdir()
        (folder / "small" / "accounts.csv").write_text("account_id\na\nb\n")
        (folder / "small" / "orders.csv").write_text("order_id,account_id,order_status,closed_at\no,a,closed_won,2024-01-01\n")
        self.is_built = False

    def failing(self, mutation: Mutation, tests: dict[str, Path]) -> set[str]:
        """Those of the named tests that fail with the change."""
        by_pytest = {name for name in mutation.fails if name.startswith("test_")}
        by_dbt = set(mutation.fails) - by_pytest
        if by_dbt and not self.is_built:
            left_out = ["resource_type:test", "resource_type:unit_test", "published_marts"]
            assert self.dbt("build", "--exclude", *left_out) == 0
            self.is_built = True
        path = self.folder / mutation.file
        before = path.read_text(encoding="utf-8")
        assert before.count(mutation.find) == 1, f"not once in {mutation.file}: {mutation.find}"
        path.write_text(before.replace(mutation.find, mutation.replace), encoding="utf-8")
        try:
            return self.by_dbt(by_dbt) | self.by_pytest(by_pytest, tests)
        finally:
            path.write_text(before, encoding="utf-8")

    def by_dbt(self, names: set[str]) -> set[str]:
        if not names:
            return set()
        results = self.folder / "target" / "run_results.json"
        results.unlink(missing_ok=True)
        self.dbt("test", "--select", *names)
        found = json.loads(results.read_text())["results"] if results.exists() else []
        # An error is no failure: what does not compile is no proof of a test.
        return {result["unique_id"].split(".")[-1] for result in found if result["status"] == "fail"}

    def by_pytest(self, names: set[str], tests: dict[str, Path]) -> set[str]:
        failed = set()
        for python, folder in ((sys.executable, "python"), (str(ROOT / ".venv-spark" / "bin" / "python"), "spark")):
            of_folder = {name for name in names if tests[name].parent.name == folder}
            files = sorted({str(self.folder / tests[name].relative_to(ROOT)) for name in of_folder})
            chosen = ["-k", " or ".join(of_folder), "-p", "no:cacheprovider", "-q", "-rfE", "--no-header", "--tb=no"]
            command = [python, "-m", "pytest", *chosen, *files]
            if files:
                printed = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True).stdout
                failed |= set(re.findall(r"^(?:FAILED|ERROR) \S+::(test_\w+)", printed, re.MULTILINE))
        return failed

    def dbt(self, *arguments: str) -> int:
        command = [str(Path(sys.executable).parent / "dbt"), "--quiet", *arguments]
        command += ["--vars", json.dumps({"connectors": ["files"], "files_dir": "small"})]
        return subprocess.run(
            command, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="how many of them, chosen at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="those of files whose path has this text")
    chosen = parser.parse_args()
    mutations = [mutation for mutation in listed() if chosen.only in mutation.file]
    if chosen.sample:
        mutations = random.Random(chosen.seed).sample(mutations, min(chosen.sample, len(mutations)))
    tests, survived = files_of_tests(), 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder).resolve())
        for mutation in mutations:
            passed = sorted(set(mutation.fails) - copy.failing(mutation, tests))
            survived += bool(passed)
            print(f"{'PASSED ' + ', '.join(passed) if passed else 'failed'}: {mutation.file}: {mutation.replace!r}", flush=True)
    print(f"{len(mutations)} changes, {survived} of them not noticed by every test that is named")
    sys.exit(survived > 0)


if __name__ == "__main__":
    main()
