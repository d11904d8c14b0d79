"""A reader of `current` sees one complete state that passed: while it is published, when it fails, when it is killed."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
import time
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from addresses import ODD_ADDRESSES, ORDINARY
from conftest import ROOT, BuildResult, copy_project
from icp_refinery.publish import NotPublished, publish
from icp_refinery.simulate.catalogue import PRODUCTS
from icp_refinery.simulate.words import COUNTRIES, INDUSTRIES, company_names
from published_states import (
    MARTS,
    SETTINGS,
    assert_complete,
    number_of,
    open_marts,
    publish_for_ever,
    publish_often,
    publish_on_a_full_disk,
    publish_state,
    read_until,
)
from warm_dbt import CONTEXT, parsed_project, run_dbt


@pytest.fixture
def marts() -> duckdb.DuckDBPyConnection:
    with open_marts(":memory:") as connection:
        yield connection


def leftovers(folder: Path) -> list[Path]:
    return [*folder.glob("states/*.part"), *folder.glob(".current-*")]


# --- A state --------------------


def test_a_state_has_every_mart_twice_with_its_comments(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    state = publish_state(marts, folder, 7)
    assert (folder / "current").resolve() == state
    assert not Path(os.readlink(folder / "current")).is_absolute()
    manifest = assert_complete(folder / "current")
    assert [file["rows"] for file in manifest["files"]] == [3, 0, 5000, None]
    assert (manifest["as_of"], manifest["reporting_currency"], manifest["reporting_cycle"]) == ("0001-01-07", "EUR", "week")
    with duckdb.connect(str(state / "icp.duckdb"), read_only=True) as connection:
        for mart in MARTS:
            assert connection.execute(f"from marts.{mart} order by all").fetchall() == (
                marts.execute(f"from marts.{mart} order by all").fetchall()
            )
        comments = "select comment from duckdb_{}() where comment is not null order by 1"
        assert connection.execute(comments.format("tables")).fetchall() == [("Grain: an account, the customer's",)]
        assert connection.execute(comments.format("columns")).fetchall() == [('Its "name"',), ("Of the build",)]
        tags = connection.execute("select tags['storage_version'] from duckdb_databases() where not internal").fetchall()
        assert tags == [("v1.4.0+",)]
        types = "select table_name, column_name, data_type from duckdb_columns() where table_name != 'unlisted' order by all"
        assert connection.execute(types).fetchall() == marts.execute(types).fetchall()
    assert not any(path.stat().st_mode & 0o222 for path in state.iterdir())


def test_an_email_address_does_not_leave_and_keys_stay_keys(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    kept = ["a@b", "@handle", "5 @ 3", "", "x@", "o'neill"]
    marts.execute("delete from marts.accounts")
    addresses = ["jane.o'neill+x@mail.example.com", "JANE@example.org", "bob@example.org", "Acme (ann_b@Firma.Example), Inc."]
    for text in [*addresses, *kept]:
        marts.execute("insert into marts.accounts values (?, ?, 0, 0)", [text, text])
    marts.execute("insert into marts.accounts values ('Müller müller@exämple.de; b@c.example', null, 0, 0)")
    marts.execute("update marts.orders set account_id = 'bob@example.org'")
    with duckdb.connect(str(publish_state(marts, tmp_path) / "icp.duckdb"), read_only=True) as connection:
        found = [text for (text,) in connection.execute("select account_id from marts.accounts").fetchall()]
        assert len(set(found)) == len(addresses) + len(kept) + 1
        assert set(kept) < set(found)
        assert not any(re.search(r"@.+\.", text) for text in found), found
        assert any(re.fullmatch(r"Acme \(\(e-mail [0-9a-f]{16}\)\), Inc\.", text) for text in found), found
        joined = "select count(*) from marts.orders join marts.accounts using (account_id)"
        assert connection.execute(joined).fetchall() == [(5000,)]
        assert connection.execute('select count(*) from marts.accounts where account_id = "a name"').fetchall() == [(10,)]


def test_the_same_rows_have_the_same_checksums_in_whatever_order_they_came(tmp_path: Path) -> None:
    def checksums(order: str) -> dict[str, str]:
        with open_marts(":memory:") as connection:
            connection.execute("set preserve_insertion_order = false")
            wide = "select range as id, 'text ' || range % 1000 as words, range / 3.0 as figure from range(300000)"
            connection.execute(f"create table marts.wide as select * from ({wide}) order by {order}")
            state = publish_state(connection, tmp_path / order.replace(" ", "_"), 1, marts=[*MARTS, "wide"])
        files = json.loads((state / "manifest.json").read_text(encoding="utf-8"))["files"]
        return {file["name"]: file["sha256"] for file in files if file["name"].endswith(".parquet")}

    assert checksums("id") == checksums("hash(id)") == checksums("words desc, id")


def test_odd_forms_of_an_email_address_do_not_leave(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    marts.execute("delete from marts.accounts")
    marts.executemany("insert into marts.accounts values (?, null, 0, 0)", [[text] for text in ODD_ADDRESSES])
    with duckdb.connect(str(publish_state(marts, tmp_path) / "icp.duckdb"), read_only=True) as connection:
        found = [text for (text,) in connection.execute("select account_id from marts.accounts").fetchall()]
    assert len(set(found)) == len(ODD_ADDRESSES)
    assert [text for text in found if re.search("user|ser|john|doe|host", text)] == []


def test_a_list_of_addresses_stays_a_list_and_no_folders_name_has_one(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """As the values of a rule, where a trait is who looks after the account."""
    marts.execute("delete from marts.accounts")
    marts.execute("insert into marts.accounts values (?, null, 0, 0)", ['["user@host.com", "Nobody", "user@host.org"]'])
    state = publish_state(marts, tmp_path, sources=["/home/me/CloudDrive-user@host.com/data"])
    with duckdb.connect(str(state / "icp.duckdb"), read_only=True) as connection:
        [(text,)] = connection.execute("select account_id from marts.accounts").fetchall()
    assert [value.partition(" ")[0] for value in json.loads(text)] == ["(e-mail", "Nobody", "(e-mail"]
    [source] = json.loads((state / "manifest.json").read_text())["sources"]
    assert source.startswith("/home/me/(e-mail ")
    assert "host" not in source


def test_a_thousand_ordinary_names_leave_as_they_are(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    number = np.arange(1200)
    companies, _ = company_names(number, number % len(INDUSTRIES), number % len(COUNTRIES))
    names = {*ORDINARY, *companies, *(product.name for product in PRODUCTS)}
    assert len(names) >= 1000
    marts.execute("delete from marts.accounts")
    marts.executemany("insert into marts.accounts values (?, null, 0, 0)", [[name] for name in names])
    with duckdb.connect(str(publish_state(marts, tmp_path) / "icp.duckdb"), read_only=True) as connection:
        assert {name for (name,) in connection.execute("select account_id from marts.accounts").fetchall()} == names


def test_the_report_is_made_from_the_new_state_and_is_a_part_of_it(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    def report(written: Path, manifest: dict) -> dict[str, str]:
        with duckdb.connect(str(written), read_only=True) as connection:
            [(number,)] = connection.execute("select max(number) from marts.accounts").fetchall()
        return {"report.html": f"{number} ü {[file['name'] for file in manifest['files']]}", "more.html": "more"}

    publish_state(marts, tmp_path, 1)
    state = publish_state(marts, tmp_path, 2, report=report)
    assert [file["name"] for file in assert_complete(state)["files"]][-2:] == ["report.html", "more.html"]
    text = (tmp_path / "current" / "report.html").read_text(encoding="utf-8")
    assert text == "2 ü ['accounts.parquet', 'nothing.parquet', 'orders.parquet']"
    later = publish_state(marts, tmp_path, 3, report=report)
    assert (tmp_path / "current").resolve() == later
    assert [path.name[:2] for path in sorted((tmp_path / "states").iterdir())] == ["20"] * 3
    assert (tmp_path / "current" / "report.html").read_text(encoding="utf-8").startswith("3 ü")


def test_publishing_leaves_the_callers_transaction_alone(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    publish_state(marts, tmp_path, 1)
    marts.execute("begin; create table marts.later as select 1 as number")
    publish(marts, MARTS, tmp_path, as_of=date(2025, 1, 1), **SETTINGS)
    marts.execute("rollback")
    assert marts.execute("select count(*) from duckdb_tables() where table_name = 'later'").fetchall() == [(0,)]
    assert_complete(tmp_path / "current")


def test_where_publishing_fails_the_link_stays(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    state = publish_state(marts, tmp_path, 1)
    marts.execute("drop table marts.orders")
    with pytest.raises(ValueError, match="There is no mart orders"):
        publish(marts, MARTS, tmp_path, as_of=date(2025, 1, 1), **SETTINGS)
    assert (tmp_path / "current").resolve() == state
    assert [*(tmp_path / "states").iterdir()] == [state]
    assert marts.execute("select count(*) from duckdb_databases() where database_name like 'publishing%'").fetchall() == [(0,)]


def test_old_states_go_but_not_the_current_nor_one_that_was_current_lately(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    def published(number: int) -> Path:
        return publish_state(marts, tmp_path, number, kept=2)

    def left() -> list[Path]:
        return sorted((tmp_path / "states").iterdir())

    def age(state: Path, hours: float) -> None:
        os.utime(state, (time.time() - hours * 3600,) * 2)

    _, _, third, fourth = states = [published(number) for number in range(1, 5)]
    assert left() == states
    for state, hours in zip(states, [9, 8, 1.1, 0.9], strict=True):
        age(state, hours)
    fifth = published(5)
    # The third was current until 0.9 hours ago, though it is older; the fourth and fifth are the newest.
    assert left() == [third, fourth, fifth]
    for state in (third, fourth, fifth):
        age(state, 5)
    sixth = published(6)
    assert left() == [fifth, sixth]
    # Of a clock that went ahead: the current one is not the newest. The sixth was current until now.
    for name in ("9 a", "9 b"):
        shutil.copytree(sixth, tmp_path / "states" / name)
    for state in left():
        age(state, 5)
    seventh = published(7)
    assert (tmp_path / "current").resolve() == seventh
    assert [path.name for path in left()] == [sixth.name, seventh.name, "9 a", "9 b"]


# --- Whose state it is --------------------


def with_orders(connection: duckdb.DuckDBPyConnection, ids: range) -> dict:
    """Facts of a company with these orders, beside the small marts; what to publish them by."""
    connection.execute(
        f"create or replace table marts.fct_orders as select 'o' || range as order_id from range({ids.start}, {ids.stop})"
    )
    connection.execute("create or replace table marts.dim_accounts as select 'a' || range as account_id from range(50)")
    return {"marts": [*MARTS, "fct_orders", "dim_accounts"]}


def test_a_state_names_its_source_and_its_accounts(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    def published() -> dict:
        state = publish_state(marts, tmp_path, connectors=["files"], sources=["/data/acme"], **with_orders(marts, range(100)))
        return json.loads((state / "manifest.json").read_text(encoding="utf-8"))

    first, second = published(), published()
    assert (first["connectors"], first["sources"], first["accounts"]["count"]) == (["files"], ["/data/acme"], 50)
    assert first["accounts"] == second["accounts"]
    more = with_orders(marts, range(100))
    marts.execute("update marts.dim_accounts set account_id = 'other' where account_id = 'a7'")
    state = publish_state(marts, tmp_path, **more)
    assert json.loads((state / "manifest.json").read_text())["accounts"] != first["accounts"]


def test_the_demo_company_never_replaces_another_state(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    demo = {"connectors": ["sample"], "sources": ["seeds/sample"]}
    publish_state(marts, tmp_path, **demo, **with_orders(marts, range(100)))
    # The demo company is there to be replaced, by any company.
    state = publish_state(marts, tmp_path, **with_orders(marts, range(5000, 5100)))
    for over in (False, True):
        with pytest.raises(NotPublished, match=r"is the state of files, which the demo company does not replace"):
            publish_state(marts, tmp_path, over=over, **demo, **with_orders(marts, range(5000, 5100)))
    assert (tmp_path / "current").resolve() == state
    assert sorted(path.name for path in (tmp_path / "states").iterdir() if path.suffix == ".part") == []


@pytest.mark.parametrize(
    ("now", "is_same"),
    [
        (range(100), True),
        (range(20), True),
        (range(90, 400), True),
        (range(95, 400), False),
        (range(100, 200), False),
        (range(0), False),
    ],
)
def test_a_state_without_common_orders_is_replaced_only_where_that_is_said(
    marts: duckdb.DuckDBPyConnection, tmp_path: Path, now: range, is_same: bool
) -> None:
    first = publish_state(marts, tmp_path, **with_orders(marts, range(100)))
    if is_same:
        assert publish_state(marts, tmp_path, **with_orders(marts, now)) != first
        return
    with pytest.raises(NotPublished, match=r"is of another company: .*publish_over: true"):
        publish_state(marts, tmp_path, **with_orders(marts, now))
    assert [*(tmp_path / "states").iterdir()] == [first]
    state = publish_state(marts, tmp_path, over=True, **with_orders(marts, now))
    assert (tmp_path / "current").resolve() == state


def test_a_folder_in_the_place_of_the_link_is_said_and_nothing_grows(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    for _ in range(3):
        with pytest.raises(NotPublished, match=r"current is not the link that states are published by: move it away"):
            publish_state(marts, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["current"]


# --- Readers, and publishers at once and killed --------------------


def test_a_reader_in_a_loop_always_sees_one_complete_state(tmp_path: Path) -> None:
    done, states_seen, answer = CONTEXT.Event(), CONTEXT.Value("i", 0), CONTEXT.Queue()
    with open_marts(":memory:") as connection:
        publish_state(connection, tmp_path, 1)
        reader = CONTEXT.Process(target=read_until, args=(done, states_seen, tmp_path, answer))
        reader.start()
        number = 1
        while reader.is_alive() and (number < 20 or states_seen.value < 5):
            number += 1
            publish_state(connection, tmp_path, number, kept=2)
    done.set()
    found = answer.get()
    reader.join()
    assert isinstance(found, list), found
    assert found == sorted(found)
    assert len(set(found)) >= 5, found


def test_publishers_at_once_leave_complete_states(tmp_path: Path) -> None:
    ranges = [range(100 * n + 1, 100 * n + 9) for n in range(3)]
    publishers = [
        CONTEXT.Process(target=publish_often, args=(tmp_path, tmp_path / f"{numbers[0]}.duckdb", numbers)) for numbers in ranges
    ]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join()
    assert [publisher.exitcode for publisher in publishers] == [0, 0, 0]
    states = sorted((tmp_path / "states").iterdir())
    assert sorted(number for state in states for number in number_of(state)) == sorted(n for numbers in ranges for n in numbers)
    assert (tmp_path / "current").resolve() == states[-1]
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("room", [0, 500, 4096, 20_000, 200_000])
def test_a_full_disk_leaves_the_state_and_nothing_else(room: int, tmp_path: Path) -> None:
    with open_marts(":memory:") as connection:
        state = publish_state(connection, tmp_path, 1)
    publisher = CONTEXT.Process(target=publish_on_a_full_disk, args=(tmp_path, room))
    publisher.start()
    publisher.join()
    assert publisher.exitcode == 1
    assert (tmp_path / "current").resolve() == state
    assert number_of(state) == {1}
    assert [*(tmp_path / "states").iterdir()] == [state]


def test_a_publisher_killed_at_any_moment_leaves_a_complete_state(tmp_path: Path) -> None:
    """Killed until it was hit at least five times in the middle of a state, or of its removal; the next run sweeps each time."""
    rng = random.Random(5)
    folder = tmp_path / "published"
    with open_marts(":memory:") as connection:
        publish_state(connection, folder, 1)
    in_the_middle = kills = 0
    while kills < 16 or in_the_middle < 5:
        assert kills < 100, in_the_middle
        before = (folder / "current").resolve()
        database = tmp_path / f"{kills}.duckdb"
        publisher = CONTEXT.Process(target=publish_for_ever, args=(folder, database, kills * 1000 + 2))
        publisher.start()
        while (folder / "current").resolve() == before and publisher.is_alive():
            time.sleep(0.002)
        if kills % 2:
            # In the middle of a state, after so many of its files.
            files = rng.randrange(4)
            while len([*folder.glob("states/*.part/*")]) < files or not leftovers(folder):
                time.sleep(0.0005)
        else:
            time.sleep(rng.uniform(0, 0.06))
        publisher.kill()
        publisher.join()
        database.unlink()
        kills += 1
        in_the_middle += bool(leftovers(folder))
        assert len(number_of((folder / "current").resolve(strict=True))) == 1
        with open_marts(":memory:") as connection:
            state = publish_state(connection, folder, kills * 1000 + 1)
        assert (folder / "current").resolve() == state
        assert not leftovers(folder)
        assert all((path / "manifest.json").exists() for path in (folder / "states").iterdir())


# --- The project --------------------


def test_every_mart_is_published_and_every_data_test_comes_before(demo: BuildResult) -> None:
    manifest = json.loads((demo.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    nodes = manifest["nodes"]
    [published] = [name for name, node in nodes.items() if node["name"] == "published_marts"]
    before, ahead = set(), [published]
    while ahead:
        new = set(nodes[ahead.pop()]["depends_on"].get("nodes", [])) & nodes.keys() - before
        before |= new
        ahead += new
    marts = {name for name, node in nodes.items() if node["resource_type"] == "model" and node["schema"] == "marts"}
    assert len(marts) >= 32
    assert marts <= set(nodes[published]["depends_on"]["nodes"])
    tests = {name: set(node["depends_on"]["nodes"]) for name, node in nodes.items() if node["resource_type"] == "test"}
    assert len(tests) >= 150
    rules = [rule for mart in marts for column in nodes[mart]["columns"].values() for rule in column["constraints"]]
    assert len(rules) >= 300  # which a table holds by itself: a mart that breaks one is not made
    assert [name for name, looked_at in tests.items() if not looked_at or not looked_at <= before] == []


def test_what_is_published_under_a_name_is_the_mart_of_that_name() -> None:
    tree = ast.parse((ROOT / "python_models" / "published_marts.py").read_text(encoding="utf-8"))
    listed = next(node.value for node in ast.walk(tree) if isinstance(node, ast.Assign) and node.targets[0].id == "marts")
    names = [(key.value, value.args[0].value) for key, value in zip(listed.keys, listed.values, strict=True)]
    assert [key for key, value in names if key != value] == []
    assert {key for key, _ in names} == {path.stem for path in (ROOT / "models" / "marts").rglob("*.sql")}


def test_the_demo_company_is_published_without_an_email_address(demo: BuildResult) -> None:
    state = demo.folder / "published" / "current"
    manifest = assert_complete(state)
    marts = sorted(path.stem for path in (ROOT / "models" / "marts").rglob("*.sql"))
    assert [file["name"] for file in manifest["files"] if file["name"].endswith(".parquet")] == [f"{m}.parquet" for m in marts]
    assert (manifest["as_of"], manifest["reporting_currency"], manifest["reporting_cycle"]) == ("2025-06-30", "USD", "month")
    with duckdb.connect(str(demo.database), read_only=True) as connection:
        [(addresses,)] = connection.execute("select count(*) from input.input_contacts where contains(email, '@')").fetchall()
        assert addresses
        connection.execute(f"attach '{state / 'icp.duckdb'}' as published (read_only)")
        for mart in marts:
            difference = f"select count(*) from (from marts.{mart} except all from published.marts.{mart})"
            assert connection.execute(difference).fetchall() == [(0,)], mart
            count = f"select (select count(*) from marts.{mart}) = (select count(*) from published.marts.{mart})"
            assert connection.execute(count).fetchall() == [(True,)], mart
        described = "select count(*), count(comment) from duckdb_{}() where database_name = 'published'"
        for kind in ("tables", "columns"):
            [(all_of_them, with_comment)] = connection.execute(described.format(kind)).fetchall()
            assert all_of_them == with_comment > 0
        texts = connection.execute(
            "select table_name, column_name from duckdb_columns() where database_name = 'published' and data_type = 'VARCHAR'"
        ).fetchall()
        assert len(texts) >= 100
        for table, column in texts:
            found = connection.execute(
                f"select {column} from published.marts.{table} where regexp_matches({column}, '[^ @]+@[^ @]+[.][^ @]+')"
            ).fetchall()
            assert found == [], (table, column)


@pytest.mark.slow
def test_nothing_is_published_where_a_test_fails_or_is_left_out(demo: BuildResult, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    failing = project / "tests" / "singular" / "an_order_is_free.sql"
    failing.write_text("select order_id from {{ ref('fct_orders') }}\n")
    shutil.copy(demo.database, tmp_path / "icp.duckdb")
    published = project / "published"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def dbt(*arguments: str, **variables: bool) -> tuple[int, str]:
        options = ["--project-dir", "../project", "--profiles-dir", "../project", "--vars", json.dumps(variables)]
        options += ["--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs")]
        database, parsed = {"ICP_DATABASE": str(tmp_path / "icp.duckdb")}, parsed_project(project, variables)
        return run_dbt(["--no-use-colors", *arguments, *options], elsewhere, database, tmp_path / "output", parsed=parsed)

    code, printed = dbt("run", "--select", "published_marts")
    assert code == 0, printed
    assert "Nothing is published: this run leaves data tests out" in printed
    assert not published.exists()
    code, printed = dbt("build", "--select", "published_marts", publish_untested=True)
    assert code == 0, printed
    state = (published / "current").resolve(strict=True)
    assert_complete(state)
    manifest = state / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace('"sample"', '"files"'))
    code, printed = dbt("run", "--select", "published_marts", publish_untested=True)
    assert code == 1, printed
    assert "is the state of files, which the demo company does not replace" in printed
    assert "Traceback" not in printed
    code, printed = dbt("build", "--select", "published_marts", "an_order_is_free", publish_untested=True)
    assert code == 1, printed
    assert re.search(r"SKIP relation published\.published_marts", printed), printed
    assert [*(published / "states").iterdir()] == [state]
    assert (published / "current").resolve() == state
