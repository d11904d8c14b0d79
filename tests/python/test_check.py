"""`icp check` says what a folder holds before any build."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from icp_refinery.check import CheckError, check_folder
from icp_refinery.cli import app


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for entity, text in files.items():
        (folder / f"{entity}.csv").write_text(text)
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = write(
        tmp_path_factory.mktemp("check"),
        accounts="account_id,account_name,tier\nA,One,gold\nB,Two,\n",
        orders="order_id,account_id,order_status,closed_at,currency_code,amount\n"
        "1,A,closed_won,2024-01-05,,100\n2,A,closed_won,2024-03-05,EUR,50\n3,Z,closed_won,2024-02-05,,70\n",
    )
    (folder / "notes.txt").write_text("not an entity")
    return check_folder(folder)


def test_entities_rows_and_rejects_are_counted(report):
    assert ("accounts", "accounts.csv", 2, 0) in report.entities
    assert ("orders", "orders.csv", 3, 2) in report.entities
    assert sorted(report.rejects) == [("orders", "unknown_account", 1), ("orders", "unknown_currency", 1)]


def test_columns_are_told_apart(report):
    assert report.columns["accounts"]["used"] == ["account_id", "account_name"]
    assert report.columns["accounts"]["ignored"] == ["tier"]
    assert "industry" in report.columns["accounts"]["missing"]


def test_dates_currencies_and_other_files(report):
    assert report.first_order_on == "2024-01-05"
    assert report.as_of == "2024-01-05"
    assert report.currencies_without_rate == ["EUR"]
    assert report.other_files == ["notes.txt"]


def test_what_cannot_be_said_follows_from_what_is_missing(report):
    said = " / ".join(report.cannot_say)
    assert "no order has a term" in said
    assert "win rate" in said
    assert "two full years" in said


def test_a_folder_that_says_everything_has_nothing_missing():
    sample = Path(__file__).resolve().parents[2] / "seeds" / "sample"
    assert check_folder(sample).cannot_say == []


def test_a_folder_that_cannot_be_built_from_is_one_sentence(tmp_path):
    folder = write(tmp_path / "no orders", accounts="account_id\nA\n")
    with pytest.raises(CheckError) as error:
        check_folder(folder)
    assert str(error.value) == f"The folder {folder} lacks orders and opportunities: one of the two is required."


def test_the_command_fails_without_a_traceback(tmp_path):
    result = CliRunner().invoke(app, ["check", str(tmp_path / "nothing")])
    assert result.exit_code == 1
    assert "does not exist" in result.output
    assert "Traceback" not in result.output
