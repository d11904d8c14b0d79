"""`icp check` says what a folder holds before any build."""

import os
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import SAMPLE
from icp_refinery.check import CheckError, check_folder
from icp_refinery.cli import app
from icp_refinery.input_folder import look_at

pytestmark = pytest.mark.usefixtures("warm_check")


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for entity, text in files.items():
        (folder / f"{entity}.csv").write_text(text)
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory, warm_check):
    folder = write(
        tmp_path_factory.mktemp("check"),
        accounts="account_id,Account Name,employee_count,tier,merged_into_account_id\n"
        "A,One,11-50,gold,\nB,Two,,,\nC,Two again,,,B\n",
        Opportunities="opportunity_id,account_id,opportunity_type,is_closed,is_won,created_at,closed_at\n"
        "d1,A,New Customer,true,false,2024-01-01,2024-02-01\nd2,B,New Customer,false,false,2024-01-01,\n",
        orders="order_id,account_id,order_status,closed_at,currency_code,amount\n"
        "1,A,closed_won,2024-01-05,,100\n2,A,closed_won,2024-03-05,EUR,50\n3,Z,closed_won,2024-02-05,,70\n",
        account_external_ids="account_id,system,external_id\nA,salesforce,1\n",
    )
    (folder / "notes.txt").write_text("not an entity")
    return check_folder(folder)


def test_entities_rows_and_rejects_are_counted(report):
    assert ("accounts", "accounts.csv", 3, 0) in report.entities
    assert ("orders", "orders.csv", 3, 2) in report.entities
    assert ("opportunities", "Opportunities.csv", 2, 0) in report.entities
    assert report.failures == ["orders loses 2 of its 3 rows."]


def test_broken_rule_names_column_values_and_what_to_do(report):
    rejects = {(broken.entity, broken.rule, broken.column): broken for broken in report.rejects}
    assert rejects["orders", "unknown_account", "account_id"].values == (("Z", 1),)
    assert rejects["orders", "unknown_currency", "currency_code"].values == (("EUR", 1),)
    [employees, kind] = sorted(report.dropped, key=lambda broken: broken.column)
    assert (employees.column, employees.rows, employees.values) == ("employee_count", 1, (("11-50", 1),))
    assert (kind.column, kind.rows, kind.values) == ("opportunity_type", 2, (("New Customer", 2),))
    assert "map `New Customer` to new_business" in kind.remedy


def test_columns_are_told_apart(report):
    accounts = report.folder.files["accounts"]
    assert accounts.used == ["account_id", "account_name", "employee_count", "merged_into_account_id"]
    assert accounts.ignored == ["tier"]
    assert "industry" in accounts.missing


def test_dates_other_files_and_inferences(report):
    assert report.first_order_on == "2024-01-05"
    assert report.as_of == "2024-02-01"
    assert report.folder.others == ["notes.txt"]
    assert any(sentence.startswith("1: ") and "merge" in sentence.lower() for sentence in report.inferred), report.inferred


def test_what_cannot_be_said_follows_from_what_is_missing(report):
    said = " / ".join(report.cannot_say)
    assert "no order has a term" in said
    assert "margin" in said
    assert "two full years" in said
    assert "no contacts.became_mql_at: icp_funnel: the stage has no rows; icp_alignment: the share of MQLs is null" in said
    assert "no account_external_ids of hubspot: sync_hubspot_companies: there are no rows" in said
    assert "no opportunities:" not in said


def test_a_folder_that_says_everything_has_nothing_missing():
    assert check_folder(SAMPLE).cannot_say == []


def test_orders_of_only_a_header_are_none_and_a_line_may_say_the_term(tmp_path):
    """Without orders the won opportunity is the order; with them, a term of the line is one."""
    orders = "order_id,account_id,order_status,closed_at\n"
    lines = "order_line_id,order_id,amount,term_months\nL,1,5,12\n"
    won = "opportunity_id,account_id,is_closed,is_won,created_at,closed_at\n1,A,true,true,2024-01-01,2024-02-01\n"
    of_opportunities = check_folder(
        write(tmp_path / "header", accounts="account_id\nA\n", orders=orders, opportunities=won, order_lines=lines)
    )
    assert (of_opportunities.failures, of_opportunities.first_order_on) == ([], "2024-02-01")
    of_orders = check_folder(
        write(tmp_path / "lines", accounts="account_id\nA\n", orders=orders + "1,A,closed_won,2024-01-05\n", order_lines=lines)
    )
    assert not any("term" in sentence for sentence in of_orders.cannot_say)


@pytest.mark.parametrize("line_end", ["\r", "\r\n", "\n"])
def test_the_header_ends_with_any_line_end(line_end, tmp_path):
    folder = write(tmp_path / "ends", orders="order_id,account_id,order_status,closed_at\n")
    (folder / "accounts.csv").write_bytes(f"account_id;Industry{line_end}A;caf\u00e9{line_end}".encode())
    found = look_at(folder)
    assert (found.problems, found.files["accounts"].used) == ([], ["account_id", "industry"])


def test_every_gap_is_said_at_once_without_dbt(tmp_path):
    folder = write(tmp_path / "gaps", accounts="name\nOne\n", orders="order_id,amount,Amount\n1,2,3\n", contacts="")
    os.mkfifo(folder / "products.csv")
    started = time.monotonic()
    problems = look_at(folder).problems
    assert time.monotonic() - started < 3
    assert sorted(problems) == [
        "accounts.csv lacks the required column account_id (it has name).",
        "contacts.csv is an empty file: it has not even a header.",
        "orders.csv has the column amount twice (amount, Amount): case, and blank or - for _, do not count.",
        "orders.csv lacks the required columns account_id, order_status, closed_at (it has order_id, amount, Amount).",
        "products.csv is not a regular file (a pipe or a device): copy its content into a file.",
    ]
    with pytest.raises(CheckError, match=r"contacts\.csv is an empty file"):
        check_folder(folder)


def test_a_folder_that_exists_is_not_said_not_to(tmp_path):
    assert look_at(tmp_path).problems == [
        f"The folder {tmp_path} has no file of the input contract (accounts.csv, orders.parquet, ...)."
    ]


def test_a_folder_without_orders_is_one_sentence(tmp_path):
    folder = write(tmp_path / "no orders", accounts="account_id\nA\n")
    assert look_at(folder).problems == [f"The folder {folder} lacks orders and opportunities: one of the two is required."]


def test_the_command_fails_without_a_traceback(tmp_path):
    result = CliRunner().invoke(app, ["check", str(tmp_path / "nothing")])
    assert result.exit_code == 1
    assert "does not exist" in result.output
    assert "Traceback" not in result.output


def test_the_command_fails_where_no_order_is_left(tmp_path):
    folder = write(
        tmp_path / "rejected",
        accounts="account_id\nA\n",
        opportunities="opportunity_id,account_id,is_closed,is_won,created_at,closed_at\nd1,A,true,true,2024-01-01,soon\n",
    )
    result = CliRunner().invoke(app, ["check", str(folder)])
    assert result.exit_code == 1
    assert "unreadable_value in opportunities.closed_at: `soon` (1)" in result.output
    assert "opportunities loses 1 of its 1 rows." in result.output
    assert "No closed-won order is left." in result.output
