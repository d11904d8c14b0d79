"""Adoption as code: what is adopted applies to whatever comes later, and a broken file stops the build with a sentence."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from conftest import LENGTHY, SAMPLE, BuildResult, build, copy_project, frame
from icp_refinery.adopt import Adopted, AdoptionError, adopt, adopted_problems, partition_problem, read_adopted, write_adopted
from icp_refinery.adopt.files import FIGURES, FILES, UNFINISHED, Row
from icp_refinery.cli import app
from icp_refinery.learning.conditions import assign

TRAITS = {"industry": False, "region": False, "employee_count": True}
RULES = [
    ("big", "industry", "in", '["Energy", "Media"]'),
    ("big", "employee_count", ">=", "200"),
    ("small", "industry", "in", '["Energy", "Media"]'),
    ("small", "employee_count", "<", "200"),
    ("rest", "industry", "not_in", '["Energy", "Media"]'),
]


def conditions(rules: list[tuple[str, str, str, str]]) -> list[Row]:
    return [
        {"adoption_number": "1", "segment_id": key, "attribute": attribute, "operator": operator, "value": value}
        for key, attribute, operator, value in rules
    ]


def segment(key: str, **changed: str) -> Row:
    row = {name: "" for name in FILES["adopted_segments"]}
    return row | {"adoption_number": "1", "segment_id": key, "segment_name": key, "definition": key, "tier": "tier_3"} | changed


def sound() -> Adopted:
    agreed = ["1", "2025-07-01", "Ana", "Ben", "Because", "2025-06-30", ""]
    first = dict(zip(FILES["adoption"], agreed, strict=True))
    return Adopted([first], [segment("big"), segment("small"), segment("rest")], conditions(RULES))


def broken(**changed: list[Row]) -> Adopted:
    return sound()._replace(**changed)


BROKEN = {
    "two segments hold the same accounts": (
        broken(adopted_segment_rules=conditions([r if r[2] != "<" else (*r[:3], "201") for r in RULES])),
        "segments big and small both hold an account with employee_count 200 to below 201 and industry Energy",
    ),
    "some accounts are in no segment": (
        broken(adopted_segment_rules=conditions([r if r[2] != "not_in" else (*r[:2], "=", "Retail") for r in RULES])),
        "no segment holds an account with employee_count missing and industry missing",
    ),
    "values that nobody has yet are in no segment": (
        broken(adopted_segment_rules=conditions([r if r[2] != "not_in" else (*r[:2], "is_missing", "") for r in RULES])),
        "no segment holds an account with employee_count missing and industry other than those named",
    ),
    "the trait is unknown": (
        broken(adopted_segment_rules=conditions([(k, a.replace("industry", "industri"), o, v) for k, a, o, v in RULES])),
        "segment big: no account has ever had the trait industri",
    ),
    "a segment is there twice": (
        broken(adopted_segments=[segment("big"), segment("big"), segment("small"), segment("rest")]),
        "segment big is there twice",
    ),
    "the operator is unknown": (
        broken(adopted_segment_rules=conditions([*RULES, ("rest", "region", "like", "E%")])),
        "segment rest: there is no operator like (on region)",
    ),
    "the list of values is not JSON": (
        broken(adopted_segment_rules=conditions([r if r[2] != "not_in" else (*r[:3], "[Energy, Media]") for r in RULES])),
        "segment rest: industry not_in needs a JSON array of texts, not [Energy, Media]",
    ),
    "the threshold is not a number": (
        broken(adopted_segment_rules=conditions([r if r[2] != "<" else (*r[:3], "many") for r in RULES])),
        "segment small: employee_count < needs a number, not many",
    ),
    "a text is compared with a number": (
        broken(adopted_segment_rules=conditions([*RULES, ("rest", "region", ">=", "5")])),
        "segment rest: region is text, which >= cannot be asked of",
    ),
    "the tier is not one of four": (
        broken(adopted_segments=[segment("big", tier="tier_0"), segment("small"), segment("rest")]),
        "segment big: the tier is one of tier_1, tier_2, tier_3, deprioritized, not tier_0",
    ),
    "an override has no reason": (
        broken(adopted_segments=[segment("big", tier_override="tier_1"), segment("small"), segment("rest")]),
        "segment big: the override to tier_1 has no override_reason",
    ),
    "a rule belongs to no segment": (
        broken(adopted_segment_rules=conditions([*RULES, ("bigg", "industry", "=", "Retail")])),
        "segment bigg: adopted_segments.csv has no such segment",
    ),
    "a segment belongs to no adoption": (
        broken(adopted_segments=[*sound().adopted_segments, segment("old", adoption_number="7")]),
        "segment old: adoption.csv has no adoption 7",
    ),
    "nobody agreed": (
        broken(adoption=[sound().adoption[0] | {"agreed_by_marketing": ""}]),
        "adoption 1: agreed_by_marketing is empty",
    ),
    "a day that does not exist": (
        broken(adoption=[sound().adoption[0] | {"adopted_on": "2025-02-30"}]),
        "adoption 1: adopted_on is a day as YYYY-MM-DD, not 2025-02-30",
    ),
}


def test_a_sound_definition_has_no_problem() -> None:
    assert adopted_problems(sound(), TRAITS) == []
    assert adopted_problems(Adopted([], [], []), TRAITS) == []


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_definition_is_told_in_a_sentence_that_names_the_place(what: str) -> None:
    files, sentence = BROKEN[what]
    first = adopted_problems(files, TRAITS)[0]
    assert sentence in first
    assert first.endswith(".")
    assert "\n" not in first


def test_the_proof_agrees_with_trying_every_kind_of_account() -> None:
    """Random rules, sound or not, against the library's own evaluation on all combinations of values."""
    rng = random.Random(5)
    values = {"industry": ["a", "b", "c", "other", None], "region": ["x", "y", "other", None]}
    values |= {"size": [-5.0, 9.9, 10.0, 55.0, None]}
    everyone = pd.DataFrame(product(*values.values()), columns=list(values), dtype=object).astype({"size": float})
    seen = {True: 0, False: 0}
    for _ in range(400):
        rules = _random_tree(rng, {}, 3)
        if rng.random() < 0.5:
            number = rng.randrange(len(rules))
            changed = rng.choice(["=", "in", "not_in", "is_missing", "is_not_missing"])
            value = {"=": '"a"', "in": '["a"]', "not_in": '["b"]'}.get(changed, "")
            rules[number] = rules[number] | {"attribute": "industry", "operator": changed, "value": value.strip('"')}
        table = pd.DataFrame(rules).replace({"value": {"": None}})
        try:
            assign(everyone, table)
            is_partition = True
        except ValueError:
            is_partition = False
        by_segment = {key: [row for row in rules if row["segment_id"] == key] for key in {row["segment_id"] for row in rules}}
        assert (partition_problem(by_segment) is None) == is_partition, rules
        seen[is_partition] += 1
    assert min(seen.values()) > 50


def _random_tree(rng: random.Random, above: dict, depth: int) -> list[Row]:
    """The rules of a random tree: every split has two sides that exclude each other."""
    splits = [
        (("industry", "in", '["a", "b"]'), ("industry", "not_in", '["a", "b"]')),
        (("industry", "=", "c"), ("industry", "!=", "c")),
        (("region", "is_missing", ""), ("region", "is_not_missing", "")),
        (("region", "in", '["x"]'), ("region", "not_in", '["x"]')),
        (("size", ">=", "10"), ("size", "<", "10")),
        (("size", ">=", "50.5"), ("size", "<", "50.5")),
    ]
    if depth == 0 or (above and rng.random() < 0.2):
        key = f"s{rng.getrandbits(64)}"
        return [{"segment_id": key, "attribute": a, "operator": o, "value": v} for a, o, v in above]
    sides = rng.choice(splits)
    return [row for side in sides for row in _random_tree(rng, {**dict.fromkeys(above), side: None}, depth - 1)]


def test_many_segments_over_many_values_are_proved_in_a_moment() -> None:
    """Twelve segments of four conditions over lists of fifty values: every combination of values would be 10 ** 20."""
    lists = [json.dumps([f"v{n}" for n in range(start, start + 50)]) for start in range(0, 550, 50)]
    rules: dict[str, list[Row]] = {}
    outside: list[Row] = []
    for number, listed in enumerate(lists):
        attribute = f"trait_{number}"
        inside = {"attribute": attribute, "operator": "in", "value": listed}
        rules[f"s{number}"] = [*outside, inside]
        outside = [*outside, inside | {"operator": "not_in"}]
    rules["rest"] = outside
    assert partition_problem(rules) is None
    del rules["s5"]
    assert "no segment holds" in partition_problem(rules)


def test_texts_come_back_as_they_were_written(tmp_path: Path) -> None:
    agreed = sound().adoption[0] | {"agreed_by_sales": 'Ana "Ace" O\'Neil; Ops', "reason": 'First,\nsecond; "third"  营销 é'}
    write_adopted(tmp_path, broken(adoption=[agreed]))
    assert read_adopted(tmp_path) == broken(adoption=[agreed])


@pytest.mark.parametrize("killed_at", range(5))
def test_an_adoption_that_is_killed_is_whole_or_not_there_after_the_next_run(
    killed_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = sound(), broken(adoption=[sound().adoption[0] | {"reason": "Another"}])
    write_adopted(tmp_path, before)
    done = 0

    def replace(part: Path, target: Path, whole: Any = Path.replace) -> Path:
        nonlocal done
        if done == killed_at:
            raise KeyboardInterrupt
        done += 1
        return whole(part, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt) if killed_at < 4 else nullcontext():
            write_adopted(tmp_path, after)
    assert read_adopted(tmp_path) == (before if killed_at == 0 else after)
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == sorted(f"{name}.csv" for name in FILES)
    write_adopted(tmp_path, before)
    assert read_adopted(tmp_path) == before


@pytest.mark.parametrize("left", ["", "{", "[]", '{"adoption": ""}', "all but a header", "a number"])
def test_a_damaged_rest_of_an_adoption_is_one_sentence_and_touches_nothing(left: str, tmp_path: Path) -> None:
    write_adopted(tmp_path, sound())
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.csv")}
    texts = {"all but a header": dict.fromkeys(FILES, "a\n"), "a number": dict.fromkeys(FILES, 1)}
    (tmp_path / UNFINISHED).write_text(json.dumps(texts[left]) if left in texts else left)
    with pytest.raises(AdoptionError, match=r"adoption\.unfinished is damaged: bring the three files"):
        read_adopted(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.csv")} == before


@pytest.mark.parametrize("text", ["null", " NULL ", "  "])
def test_what_would_not_come_back_is_not_written(text: str, tmp_path: Path) -> None:
    write_adopted(tmp_path, sound())
    with pytest.raises(AdoptionError, match=r"adoption.csv cannot hold .* as agreed_by_sales: dbt reads it as empty"):
        write_adopted(tmp_path, broken(adoption=[sound().adoption[0] | {"agreed_by_sales": text}]))
    assert read_adopted(tmp_path) == sound()


def learned_database(
    path: Path, attribute: str = "industry", value: str = "=cmd()", connectors: Sequence[str] = ("files",)
) -> Path:
    """What adopting reads, with two segments."""
    conditions = [{"attribute": attribute, "operator": operator, "value": value} for operator in ("=", "!=")]
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema learned; create schema intermediate")
        figures = ", ".join(f"1.0 as {name}" for name in FIGURES if name not in ("pursuits", "wins"))
        for number, condition in enumerate(conditions):
            rules = json.dumps([condition]).replace("'", "''")
            row = f"""select 'seg_{number}' as segment_id, '=HYPERLINK("x")' as segment_name, '@definition' as definition,
                'tier_1' as tier, 3 as pursuits, 1 as wins, '{rules}' as rules, {figures}"""
            connection.execute(
                f"{'insert into' if number else 'create table'} learned.learned_segments {'' if number else 'as'} {row}"
            )
        connection.execute(
            "create table learned.learned_segments_in_force as "
            "select segment_id, tier, false as is_contradicted from learned.learned_segments"
        )
        connection.execute(f"create table intermediate.int_trait_names as select '{attribute}' as attribute, false as is_numeric")
        connection.execute("create table intermediate.int_as_of as select date '2025-06-30' as as_of")
        connection.execute(f"create table intermediate.int_connectors as select unnest({list(connectors)}) as connector")
    return path


def test_no_cell_of_an_adoption_is_a_formula(tmp_path: Path) -> None:
    database = learned_database(tmp_path / "icp.duckdb")
    adopt(database, tmp_path / "adopted", "=1+1", "@Ben", "-now", date(2025, 7, 1), {"seg_1": "+Mid-size finance"})
    cells = [cell for file in (tmp_path / "adopted").glob("*.csv") for row in csv.reader(file.open()) for cell in row]
    assert [cell for cell in cells if cell and cell[0] in "=+-@\t\r"] == []
    adopted = read_adopted(tmp_path / "adopted")
    # What is compared with data stays what it is.
    assert [(row["operator"], row["value"]) for row in adopted.adopted_segment_rules] == [
        ("in", '["=cmd()"]'),
        ("not_in", '["=cmd()"]'),
    ]
    assert [row["segment_name"] for row in adopted.adopted_segments] == ['\'=HYPERLINK("x")', "'+Mid-size finance"]
    with pytest.raises(AdoptionError, match="A spreadsheet would take the trait =cmd for a formula"):
        adopt(learned_database(tmp_path / "b.duckdb", "=cmd"), tmp_path / "b", "a", "b", "c", date(2025, 7, 1))


def test_a_segment_gets_the_name_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = learned_database(tmp_path / "icp.duckdb")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dbt_project.yml").touch()

    def adopting(*names: str) -> Any:
        options = [part for name in names for part in ("--name", name)]
        agreed = ["--sales", "Ana", "--marketing", "Ben", "--reason", "Quarter"]
        return CliRunner().invoke(app, ["adopt", *agreed, *options, "--database", str(database)])

    assert "There is no segment seg_9 to name; there are seg_0, seg_1" in adopting("seg_9=X").output
    assert "A segment's name is not empty" in adopting("seg_1=").output
    assert "A name is given as segment_id=name, not seg_1" in adopting("seg_1").output
    assert not (tmp_path / "seeds").exists()
    assert adopting("seg_1=Mid-size finance", "seg_0=Others = all").exit_code == 0
    adopted = read_adopted(tmp_path / "seeds" / "adopted")
    assert {row["segment_id"]: row["segment_name"] for row in adopted.adopted_segments} == {
        "seg_1": "Mid-size finance",
        "seg_0": "Others = all",
    }


@pytest.mark.parametrize(
    ("in_force", "adopted_as"),
    [
        ("'tier_3', true", "tier_3"),  # what was learned is in force, and lost its tier
        ("'tier_1', true", "tier_3"),  # the same tier is adopted, and contradicted
        ("'tier_1', false", "tier_1"),
        ("'deprioritized', true", "tier_1"),  # what late deals contradict is another tier than the learned one
    ],
)
def test_a_tier_that_late_deals_contradict_is_not_adopted(in_force: str, adopted_as: str, tmp_path: Path) -> None:
    database = learned_database(tmp_path / "icp.duckdb", value="Retail")
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            f"create or replace table learned.learned_segments_in_force as select 'seg_0' as segment_id, "
            f"column0 as tier, column1 as is_contradicted from (values ({in_force})) as given(column0, column1)"
        )
    said = adopt(database, tmp_path / "adopted", "Ana", "Ben", "x", date(2025, 7, 1))
    tiers = {row["segment_id"]: row["tier"] for row in read_adopted(tmp_path / "adopted").adopted_segments}
    assert tiers == {"seg_0": adopted_as, "seg_1": "tier_1"}
    sentence = "(seg_0) is adopted as Neutral: no evidence: late deals contradict that it is Best fit."
    assert said.count(sentence) == said.count("contradict") == (adopted_as == "tier_3")


def test_what_people_decided_of_the_demo_company_stays_with_it(tmp_path: Path) -> None:
    """An override is kept in the next adoption of the same company, not of another; nor does its date bind the other's."""
    demo = learned_database(tmp_path / "demo.duckdb", connectors=["sample"])
    own = learned_database(tmp_path / "own.duckdb", connectors=["files", "sample"])
    folder, agreed = tmp_path / "adopted", ("Ana", "Ben", "x")
    adopt(demo, folder, *agreed, date(2025, 7, 1))
    files = read_adopted(folder)
    files.adopted_segments[0].update(tier_override="tier_2", override_reason="A contract")
    write_adopted(folder, files)
    assert "override" not in adopt(own, folder, *agreed, date(2025, 6, 1))
    assert "The override of" in adopt(demo, folder, *agreed, date(2025, 8, 1))
    assert [row["learned_from"] for row in read_adopted(folder).adoption] == ["sample", "files, sample", "sample"]
    with pytest.raises(AdoptionError, match="adoption 4 is dated before the one it replaces"):
        adopt(own, folder, *agreed, date(2025, 5, 1))


def test_a_trait_that_only_the_other_company_has_is_no_problem() -> None:
    files = broken(adoption=[sound().adoption[0] | {"learned_from": "sample"}])
    assert "no account has ever had the trait industry" in adopted_problems(files, {}, is_demo=True)[0]
    assert adopted_problems(files, {}, is_demo=False) == []


def test_a_file_of_an_earlier_release_applies_to_every_company(tmp_path: Path) -> None:
    write_adopted(tmp_path, sound())
    file = tmp_path / "adoption.csv"
    file.write_text(file.read_text().replace(",learned_from", "").replace("2025-06-30,", "2025-06-30"))
    assert read_adopted(tmp_path) == sound()
    for is_demo in (True, False):
        assert "no account has ever had" in adopted_problems(read_adopted(tmp_path), {}, is_demo)[0]


def test_a_file_that_is_no_table_is_told(tmp_path: Path) -> None:
    write_adopted(tmp_path, sound())
    (tmp_path / "adopted_segments.csv").write_text("adoption_number,segment_id\n1,big\n")
    with pytest.raises(AdoptionError, match=r"adopted_segments.csv lacks the column segment_name\."):
        read_adopted(tmp_path)


@pytest.mark.parametrize("left_out", ["--sales", "--marketing", "--reason"])
def test_nobody_adopts_without_both_teams_and_a_reason(left_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dbt_project.yml").touch()
    given = [part for name in ("--sales", "--marketing", "--reason") if name != left_out for part in (name, "x")]
    result = CliRunner().invoke(app, ["adopt", *given])
    assert result.exit_code == 1
    assert f"{left_out} is missing" in result.output
    assert not (tmp_path / "seeds").exists()


def test_without_a_database_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(AdoptionError, match="run `dbt build` first"):
        adopt(tmp_path / "none.duckdb", tmp_path, "Ana", "Ben", "x", date(2025, 7, 1))


def test_a_database_of_another_version_is_a_sentence(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "old.duckdb")) as connection:
        for relation in ("learned_segments", "learned_segments_in_force"):
            connection.execute(f"create table {relation} (segment_id text, tier text)")
    with pytest.raises(AdoptionError, match="another version: run `dbt build` again"):
        adopt(tmp_path / "old.duckdb", tmp_path, "Ana", "Ben", "x", date(2025, 7, 1))


# ------------------------------------------------------------------------------------------------ builds


@pytest.fixture(scope="module")
def adopted_project(demo: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which the demo company's learned profile is adopted, one tier overridden."""
    project = copy_project(tmp_path_factory.mktemp("adopted") / "project")
    folder = project / "seeds" / "adopted"
    adopt(demo.database, folder, 'Ana "Ace"; Sales', "Мария, 营销", "First\nmeeting", date(2025, 7, 1))
    files = read_adopted(folder)
    row = next(row for row in files.adopted_segments if row["tier"] == "tier_3")
    row |= {"tier_override": "tier_2", "override_reason": "A framework contract; signed, at last"}
    write_adopted(folder, files)
    return project


def changed_company(folder: Path) -> Path:
    """The demo company with its first industries renamed, sizes gone here and there, and accounts it never had."""
    folder.mkdir()
    for file in SAMPLE.glob("*.csv"):
        rows = list(csv.DictReader(file.open(encoding="utf-8", newline="")))
        if file.name == "accounts.csv":
            for number, row in enumerate(rows):
                row["industry"] = ['Space; "mining"', row["industry"], "", "营销", row["industry"]][number % 5]
                row["employee_count"] = "" if number % 7 == 0 else row["employee_count"]
            rows += [row | {"account_id": f"new-{n}", "merged_into_account_id": ""} for n, row in enumerate(rows[:50])]
        with (folder / file.name).open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


@pytest.mark.slow
def test_the_adopted_definition_partitions_changed_data(demo: BuildResult, adopted_project: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(adopted_project, project)
    files = read_adopted(project / "seeds" / "adopted")
    files.adoption[0]["learned_from"] = ""  # the demo company's, taken for this one's
    write_adopted(project / "seeds" / "adopted", files)
    select = (
        "+dim_accounts +fct_orders +fct_opportunities +icp_segments +icp_segment_rules +icp_challenger_segments +icp_adoptions"
    )
    options = {"project": project, "select": select, "unit_tests": False, "data_tests": False}
    result = build(tmp_path / "build", changed_company(tmp_path / "files"), **options)
    before = frame(demo.database, "marts.icp_segment_rules").sort_values(["segment_id", "condition_number"])
    after = frame(result.database, "marts.icp_segment_rules").sort_values(["segment_id", "condition_number"])
    assert after.to_dict("records") == before.to_dict("records")
    accounts, orders = frame(result.database, "marts.dim_accounts"), frame(result.database, "marts.fct_orders")
    segments = frame(result.database, "marts.icp_segments").set_index("segment_id")
    assert set(accounts["segment_id"]) | set(orders["segment_id"]) <= set(segments.index)
    assert segments["account_count"].sum() == len(accounts)
    assert segments["order_count"].sum() == (orders["order_type"] != "credit").sum()
    assert segments["opportunity_count"].sum() == len(frame(result.database, "marts.fct_opportunities"))
    assert set(segments["status"]) == {"adopted"}
    overridden = segments[segments["is_tier_overridden"].astype(bool)].iloc[0]
    assert (overridden["tier"], overridden["tier_by_figures"]) == ("tier_2", "tier_3")
    assert overridden["override_reason"] == "A framework contract; signed, at last"
    assert set(accounts.loc[accounts["segment_id"] == overridden.name, "tier"]) == {"tier_2"}
    challengers = frame(result.database, "marts.icp_challenger_segments")
    assert challengers["account_count"].sum() == len(accounts)
    [agreed] = frame(result.database, "marts.icp_adoptions").to_dict("records")
    assert (agreed["agreed_by_sales"], agreed["reason"]) == ('Ana "Ace"; Sales', "First\nmeeting")
    assert agreed["is_in_force"]
    assert agreed["in_force_from"] == date(2025, 7, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("is_demo", "says", "applied", "left_out"),
    [
        (True, True, [1, 3], ["Adoption 2 does not apply: it was learned from files, and this is the demo company."]),
        (False, True, [2, 3], ["Adoption 1 does not apply: it was learned from the demo company."]),
        (False, False, [1, 2, 3], []),
    ],
    ids=["the demo company", "another company", "files of an earlier release"],
)
def test_an_adoption_applies_to_the_company_that_it_was_learned_from(
    is_demo: bool, says: bool, applied: list[int], left_out: list[str], tmp_path: Path
) -> None:
    """Three adoptions: of the demo company, of another, and of one that is not named."""
    project = copy_project(tmp_path / "project")
    folder, one = project / "seeds" / "adopted", sound()
    origins = {"1": "sample", "2": "files", "3": ""}
    numbered = [[row | {"adoption_number": number} for number in origins for row in rows] for rows in one]
    numbered[0] = [row | {"learned_from": origins[row["adoption_number"]]} for row in numbered[0]]
    write_adopted(folder, Adopted(*numbered))
    if not says:
        rows = [line.rpartition(",")[0] for line in (folder / "adoption.csv").read_text().splitlines()]
        (folder / "adoption.csv").write_text("\n".join(rows) + "\n")
    files = tmp_path / "files"
    files.mkdir()
    (files / "accounts.csv").write_text("account_id\nA\n")
    (files / "orders.csv").write_text("order_id,account_id,order_status,closed_at,amount\n1,A,closed_won,2024-01-05,9\n")
    database = tmp_path / "icp.duckdb"
    with duckdb.connect(str(database)) as connection:
        traits = "('industry', false), ('region', false), ('employee_count', true)"
        connection.execute("create schema adopted; create table adopted.adoption as select '1' as adoption_number")  # of long ago
        connection.execute("create schema intermediate")
        connection.execute(f"create table intermediate.int_trait_names as from (values {traits}) as known(attribute, is_numeric)")
    select = "path:seeds/adopted assumptions excluded_accounts path:models/staging/people"
    select += " int_connectors rule_problems checked_adoptions"
    result = build(
        tmp_path / "build", None if is_demo else files, project=project, database=database, select=select, unit_tests=False
    )
    adoptions = frame(result.database, "learned.checked_adoptions").sort_values("adoption_number")
    assert adoptions["adoption_number"].tolist() == applied
    assert adoptions["is_in_force"].tolist() == [number == 3 for number in applied]
    problems = frame(result.database, "learned.rule_problems")
    assert problems["source"].tolist() == ["left_out"] * len(left_out)
    assert problems["sentence"].tolist() == left_out


@pytest.mark.slow
def test_a_second_adoption_keeps_the_first(adopted_project: Path, demo: BuildResult, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(adopted_project, project)
    said = adopt(demo.database, project / "seeds" / "adopted", "Ana", "Ben", "Again", date(2025, 8, 1))
    assert "The override of " in said
    assert "stays" in said
    nodes = "path:seeds rule_problems checked_adoptions int_icp_versions+1 int_segment_conditions"
    nodes += " int_accounts__segments_by_version"
    database = Path(shutil.copy(demo.database, tmp_path / "icp.duckdb"))
    result = build(tmp_path / "now", project=project, database=database, select=nodes, unit_tests=False)
    versions = frame(result.database, "applied.int_icp_versions").set_index("icp_version")
    assert versions["is_in_force"].to_dict() == {"learned": False, "adopted 1": False, "adopted 2": True}
    assert versions.loc["adopted 1", "in_force_until"] == date(2025, 8, 1)
    placed = frame(result.database, "applied.int_accounts__segments_by_version")
    assert placed.groupby("icp_version")["account_id"].nunique().nunique() == 1
    build(tmp_path / "now", project=project, database=database, select=nodes, unit_tests=False, vars={"as_of": "2025-07-15"})
    versions = frame(result.database, "applied.int_icp_versions").set_index("icp_version")
    assert versions["is_in_force"].to_dict() == {"learned": False, "adopted 1": True}


@pytest.mark.slow
def test_a_broken_definition_stops_the_build_with_the_sentence(demo: BuildResult, adopted_project: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(adopted_project, project)
    database = Path(shutil.copy(demo.database, tmp_path / "icp.duckdb"))
    with duckdb.connect(str(database)) as connection:
        connection.execute("drop table applied.int_accounts__segments_by_version")
    for what in ("two segments hold the same accounts", "a segment is there twice"):
        files, sentence = BROKEN[what]
        write_adopted(project / "seeds" / "adopted", files)
        select = "path:seeds/adopted+"
        result = build(tmp_path / "build", project=project, database=database, select=select, unit_tests=False, check=False)
        assert result.returncode == 1
        assert sentence in result.stdout
        assert "Traceback" not in result.stdout
        with duckdb.connect(str(database), read_only=True) as connection:
            made = connection.execute("select table_name from duckdb_tables()").fetchall()
        assert ("int_accounts__segments_by_version",) not in made


@pytest.mark.slow
def test_a_figure_of_an_adopted_segment_is_that_of_todays_data(demo: BuildResult, adopted_project: Path, tmp_path: Path) -> None:
    options = {"project": adopted_project, "database": Path(shutil.copy(demo.database, tmp_path / "icp.duckdb"))}
    select, left_out = "path:seeds/adopted+", f"resource_type:test {' '.join(LENGTHY)}"
    result = build(tmp_path / "build", select=select, exclude=left_out, unit_tests=False, **options)
    segments = frame(result.database, "marts.icp_segments").set_index("segment_id")
    pursuits = frame(result.database, "intermediate.int_pursuits").set_index("account_id")
    own = frame(result.database, "marts.dim_accounts").set_index("account_id")["segment_id"]
    assert segments["pursuit_count"].to_dict() == pursuits.groupby(own)["is_won"].count().to_dict()
    rate = pursuits["is_won"].astype(float).groupby(own).mean()
    assert segments["win_rate"].astype(float).to_dict() == pytest.approx(rate.to_dict())
    figures = segments[["pursuit_count", "value_per_pursuit", "lift"]].astype(float)
    assert (figures["lift"] * figures["pursuit_count"]).sum() == pytest.approx(len(pursuits))
    overall = (figures["value_per_pursuit"] * figures["pursuit_count"]).sum() / len(pursuits)
    assert list(figures["value_per_pursuit"]) == pytest.approx(list(figures["lift"] * overall))
    assert overall >= pursuits["value"].astype(float).mean()  # young wins are developed, never made smaller


@pytest.mark.slow
def test_the_backtest_tries_what_is_adopted_beside_what_learning_anew_would_have_found(
    demo: BuildResult, adopted_project: Path, tmp_path: Path
) -> None:
    project, database = tmp_path / "project", Path(shutil.copy(demo.database, tmp_path / "icp.duckdb"))
    shutil.copytree(adopted_project, project)
    files = read_adopted(project / "seeds" / "adopted")
    files.adoption[0]["as_of"] = "2024-06-30"  # dated back: this tries the way, not what is found on it
    write_adopted(project / "seeds" / "adopted", files)
    nodes = "path:seeds/adopted rule_problems checked_adoptions int_icp_versions int_icp_versions__segments"
    nodes += " int_segment_conditions int_accounts__segments_by_version learned_segments_in_force learned_backtest icp_backtest"
    result = build(tmp_path / "build", project=project, database=database, select=nodes, unit_tests=False)
    found = frame(result.database, "marts.icp_backtest")
    adopted = found[found["scorer"] == "adopted"]
    assert sorted(adopted["cutoff"].unique()) == ["2024-07-01", "2024-10-01", "2025-01-01"]
    best = adopted[(adopted["measure"] == "value_captured") & (adopted["share"] == 0.2)]
    assert (best["value"] > 0.2).all()
    others = [
        rows.sort_values(["cutoff", "scorer", "measure", "share"], ignore_index=True)
        for rows in (
            found[found["scorer"] != "adopted"],
            frame(demo.database, "marts.icp_backtest"),
        )
    ]
    pd.testing.assert_frame_equal(*others)
