"""What dlt itself lands of HubSpot and Salesforce, by its real pipelines and normalizer, is the company of the files."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
from pathlib import Path

import duckdb
import numpy as np
import pytest

from conftest import ROOT, InputBuild
from crm_api import Answers, hubspot_answers, salesforce_answers, serve
from icp_refinery.simulate.landed import simulate_records
from icp_refinery.simulate.landed.tables import Row, write_files
from test_connectors import ACCOUNTS, LACKING, LACKING_BY_DLT, SEEDS, settings, staged

# `make connectors` installs dlt there, beside the project's own environment.
DLT = ROOT / ".venv" / "dlt" / "bin" / "python"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DLT.exists(), reason="`make connectors` installs dlt")]
PLURAL = {"company": "companies", "contact": "contacts", "deal": "deals", "product": "products"}


def load(tool: str, answers: Answers, folder: Path, *more: str) -> Path:
    """Run the tool's pipeline against these answers."""
    database = folder / "landed.duckdb"
    places = {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder / "dlt"), "TZ": "UTC"}
    with serve(answers) as url:
        command = [str(DLT), str(ROOT / "tests" / "support" / "dlt_pipelines.py"), tool, url, str(database), *more]
        run = subprocess.run(command, cwd=folder, env=os.environ | places, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return database


def check(tool: str, files: dict[str, list[Row]], landed: Path, build_input: InputBuild, folder: Path) -> None:
    """The input layer of what was landed is that of the files, row by row."""
    write_files(folder / "files", files)
    told = staged(build_input(folder / "files"))
    found = staged(build_input(variables=settings(f"{tool}-dlt"), landed=landed))
    assert {name for name in told if not told[name]} == LACKING[tool] | LACKING_BY_DLT[tool] | {"rejects", "dropped"}
    assert {name: (told[name] - found[name], found[name] - told[name]) for name in told if told[name] != found[name]} == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_hubspot_by_dlt_with_the_properties_that_docs_tell_to_add(seed: int, build_input: InputBuild, tmp_path: Path) -> None:
    files, portal = simulate_records("hubspot-dlt", ACCOUNTS, 42, seed, np.random.default_rng(seed), mess=True)
    documented = re.findall(
        r"^\| (company|contact|deal|product) \| (`hs_.+) \|$", (ROOT / "docs" / "connectors.md").read_text(), re.M
    )
    more = {PLURAL[name]: re.findall(r"`(\w+)`", names) for name, names in documented}
    landed = load("hubspot", hubspot_answers(portal), tmp_path, json.dumps(more))
    check("hubspot", files, landed, build_input, tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("bulk", [True, False], ids=["bulk", "standard"])
def test_salesforce_by_dlt_in_two_loads_of_which_the_second_appends_what_changed(
    bulk: bool, seed: int, build_input: InputBuild, tmp_path: Path
) -> None:
    files, objects = simulate_records("salesforce-dlt", ACCOUNTS, 42, seed, np.random.default_rng(seed), mess=True)
    before, after = {}, {}
    for name, (kinds, rows) in objects.items():
        kinds = kinds | {"SystemModstamp": "TIMESTAMP", "LastModifiedDate": "TIMESTAMP"}
        old = [row | ({"IsDeleted": not row["IsDeleted"]} if n % 3 == 0 else {}) | at(1) for n, row in enumerate(rows)]
        before[name] = kinds, old
        after[name] = kinds, [row | at(2 if n % 3 == 0 else 1) for n, row in enumerate(rows)]
    load("salesforce", salesforce_answers(before, bulk), tmp_path)
    landed = load("salesforce", salesforce_answers(after, bulk), tmp_path)
    with duckdb.connect(str(landed), read_only=True) as connection:
        [(rows, ids)] = connection.sql("select count(*), count(distinct id) from salesforce.opportunity").fetchall()
    assert rows > 1.3 * ids
    check("salesforce", files, landed, build_input, tmp_path)


def at(day: int) -> Row:
    """When a record was changed."""
    return dict.fromkeys(("SystemModstamp", "LastModifiedDate"), dt.datetime(2026, 6, day))
