"""A folder of a CRM's own exports: `icp init` describes it, and the build reads the same from it as from the contract's files."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from conftest import InputBuild, frame
from export_folders import AMERICAN, EUROPEAN, PLAIN_API, Exports, Style, World, hubspot, read_world, salesforce
from icp_refinery.check import check_folder
from icp_refinery.cli import app
from icp_refinery.exports.dictionary import TOOLS, read_dictionary
from icp_refinery.exports.forms import date_form, number_form
from icp_refinery.exports.init import InitError, map_folder
from icp_refinery.exports.writing import Unsure, is_as_written, write_mapping
from icp_refinery.input_folder import read_contract
from icp_refinery.simulate import write_world

ENTITIES = tuple(read_contract())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A simulated company; what a simulated file lacks is planted: quotes in names, an amount that nobody can read."""
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, 60, 24, 7, form="csv")
    rows = read_world(folder)
    rows["accounts"][3]["account_name"] = 'O\'Neill; "Sons" & Co, {{ 1 / 0 }} $$ --'
    rows["contacts"][5]["job_title"] = "Head of <everything>\nand more"
    rows["opportunities"][2]["lead_source"] = "'; drop table raw_files.source_columns; --"
    return rows


def input_tables(database: Path) -> dict[str, list[tuple]]:
    """Every accepted row, and every reject without the text of its row."""
    queries = {entity: f"input.input_{entity}" for entity in ENTITIES}
    queries["rejects"] = "(select entity, row_id, rule, column_name, column_value from input.input_rejects)"
    queries["dropped"] = "input.input_dropped_values"
    return {name: sorted(frame(database, query).itertuples(index=False, name=None), key=repr) for name, query in queries.items()}


@pytest.fixture(scope="module")
def read_folder(build_input: InputBuild, tmp_path_factory: pytest.TempPathFactory):
    """A function from a folder to its `input_tables`. Any folder is read under one name: dbt then parses once."""
    base = tmp_path_factory.mktemp("exports")
    link = base / "files"

    def read(folder: Path) -> dict[str, list[tuple]]:
        link.unlink(missing_ok=True)
        link.symlink_to(folder, target_is_directory=True)
        return input_tables(build_input(link, folder=base).database)

    return read


CASES = {
    "HubSpot, labels, European forms": (hubspot, EUROPEAN),
    "HubSpot, API names": (hubspot, PLAIN_API),
    "Salesforce, labels, American forms": (salesforce, AMERICAN),
    "Salesforce, API names": (salesforce, PLAIN_API),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_folder_of_exports_is_read_as_the_contracts_files_are(case: str, world: World, read_folder, tmp_path: Path) -> None:
    make, style = CASES[case]
    exports: Exports = make(tmp_path, world, style)
    mapping = map_folder(exports.folder)
    assert mapping.unsure == [], mapping.text
    (exports.folder / "mapping.yml").write_text(mapping.text, encoding="utf-8")
    read, expected = read_folder(exports.folder), read_folder(exports.canonical)
    assert len(expected["opportunities"]) > 30
    for name, rows in expected.items():
        assert read[name] == rows, name


def test_each_dictionary_knows_eighty_headers_in_both_spellings_and_columns_that_exist() -> None:
    contract = read_contract()
    for tool in TOOLS:
        kinds = read_dictionary(tool).kinds
        pairs = {pair for kind in kinds for part in kind.parts for headers in part.columns.values() for pair in headers.items()}
        pairs |= {pair for kind in kinds for pair in kind.known.items()}
        assert len({label for label, _ in pairs}) >= 80
        assert len({name for _, name in pairs}) >= 80
        for part in [part for kind in kinds for part in kind.parts]:
            named = part.columns.keys() | part.constants.keys() | part.details.keys()
            assert named <= contract[part.entity].keys(), part
            required = {name for name, column in contract[part.entity].items() if column.required}
            assert required - {"is_closed", "is_won"} <= named, part


DATES = {
    "day first": (["31/12/2025", "01/02/2025"], "31/12/2025"),
    "month first, with times": (["12/31/2025 1:05 PM", "1/2/2025 11:00 AM"], "12/31/2025"),
    "dots": (["31.12.2025 13:05"], "31.12.2025"),
    "two digits of the year": (["31/12/25"], "31/12/25"),
    "year first": (["2025/12/31"], "2025/12/31"),
    "a month's name": (["31-Dec-2025 13:05:00"], "31-Dec-2025"),
    "a month's name first": (["Dec 31, 2025", "May 1, 2025"], "Dec 31, 2025"),
    "ISO 8601": (["2025-12-31", "2025-01-02T10:00:00Z"], None),
    "no date": (["soon", "11-50"], None),
}


@pytest.mark.parametrize("kind", DATES)
def test_a_form_of_dates_is_said_where_one_reading_is_left(kind: str) -> None:
    texts, form = DATES[kind]
    assert (date_form(texts).form, date_form(texts).is_sure) == (form, True)


def test_dates_with_two_readings_or_none_in_common_are_not_guessed() -> None:
    assert date_form(["01/02/2025", "2025-12-31"]).fitting == ("12/31/2025", "31/12/2025")
    assert not date_form(["31/12/2025", "12/31/2025"]).is_sure


NUMBERS = {
    "comma of decimals": (["1.234,56", "12"], "1.234,56"),
    "only a comma of decimals": (["1,5"], "1.234,56"),
    "two points": (["1.234.567"], "1.234,56"),
    "blanks of thousands": (["1 234,56", "1\u202f234"], "1 234,56"),
    "Swiss": (["1'234.56"], "1'234.56"),
    "a currency before": (["$1,234.56", "12"], "$1,234.56"),
    "a currency after": (["1.234,56 €"], "1.234,56 €"),
    "a code before": (["EUR 1.234,56"], "EUR 1.234,56"),
    "the contract's": (["1,234.56", "-5", "1234.5"], None),
    "whole numbers": (["1", "1234"], None),
    "no number": (["11-50", "n/a"], None),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_form_of_numbers_is_said_where_one_reading_is_left(kind: str) -> None:
    texts, form = NUMBERS[kind]
    assert (number_form(texts).form, number_form(texts).is_sure) == (form, True)


def test_numbers_with_two_readings_or_none_in_common_are_not_guessed() -> None:
    assert number_form(["1.234", "7"]).fitting == ("1,234.56", "1.234,56")
    assert not number_form(["1.234,56", "1,234.56"]).is_sure
    assert not number_form(["$1.50", "€2.50"]).is_sure


def test_a_count_of_heads_has_no_decimals() -> None:
    assert number_form([], whole=["1.250", "80"]).form == "1.234,56"
    assert number_form(["1,234"], whole=["1,250"]) == number_form(["1.5"])


def test_a_mapping_reads_back_whatever_is_in_its_names() -> None:
    names = [
        "Yes",
        "1",
        "2025-01-01",
        "a: b",
        "#x",
        "- y",
        "?",
        "~",
        "",
        " z ",
        "it's",
        '"q"',
        "{{ 1 }}",
        "é😀",
        "a\nb\t\x07",
        "\\",
        "*a",
    ]
    mapping = {"files": {name: {"values": {name: name, "x": Unsure("?", f"about {name}")}, "list": [name]} for name in names}}
    text, unsure = write_mapping(mapping)
    assert yaml.safe_load(text) == {"files": {name: {"values": {name: name, "x": "?"}, "list": [name]} for name in names}}
    assert [text.splitlines()[line - 1].strip() for line, _ in unsure] == ['x: "?"  # not sure'] * len(names)


DEALS = "Record ID,Deal Name,Deal Stage,Deal Type,Amount,Close Date,Create Date,Associated Company IDs\n"
COMPANIES = "Record ID,Company name,Tier,Create Date\n1,One,gold,2024-01-01\n2,Two,silver,2024-01-01\n"


def folder_of(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def said(folder: Path, tool: str | None = None) -> tuple[dict, list[str], list[str]]:
    """The mapping of a folder as YAML, what is not sure with the text of its line, and the notes."""
    mapping = map_folder(folder, tool)
    lines = mapping.text.splitlines()
    return (
        yaml.safe_load(mapping.text)["files"],
        [f"{lines[line - 1].strip()} | {says}" for line, says in mapping.unsure],
        mapping.notes,
    )


def test_what_is_not_sure_is_listed_with_its_line_and_not_guessed(tmp_path: Path) -> None:
    deals = DEALS + "9,Nine,Closed Won,Pilot,1.234,01/02/2024,03/04/2024,1\n8,Eight,Contract Signed,Renewal,7,,03/04/2024,1;2\n"
    files, unsure, notes = said(folder_of(tmp_path, deals=deals + "7,Seven,Demo,,,,,2\n", companies=COMPANIES))
    assert unsure == [
        'dates: "?"  # not sure | dates of deals.csv can be read in more than one way:'
        " write 12/31/2025 or 31/12/2025 (Close Date, Create Date)",
        'numbers: "?"  # not sure | numbers of deals.csv can be read in more than one way: write 1,234.56 or 1.234,56 (Amount)',
        "Pilot: ~  # not sure | type `Pilot` is taken as none of new_business, expansion, renewal",
        'Contract Signed: "?"  # not sure | is stage `Contract Signed` closed? Write true or false',
        "Demo: false  # not sure | stage `Demo` is taken as open",
        'Contract Signed: "?"  # not sure | is stage `Contract Signed` won? Write true or false',
    ]
    assert files["deals.csv"]["opportunities"]["opportunity_type"]["values"] == {"Pilot": None, "Renewal": "renewal"}
    assert "deals.csv: 1 rows have several ids in Associated Company IDs; the first counts." in notes
    assert any("currency: EUR" in note for note in notes)
    assert any("Tier could be attributes" in note for note in notes)


def test_without_a_stage_that_is_won_by_its_name_no_stage_is_guessed(tmp_path: Path) -> None:
    deals = DEALS + "9,Nine,Alpha,,1,2024-01-02,2024-01-02,1\n8,Eight,Qualified To Buy,,7,,2024-01-02,1\n"
    files, unsure, _ = said(folder_of(tmp_path, deals=deals, companies=COMPANIES))
    assert files["deals.csv"]["opportunities"]["is_won"]["values"] == {"Alpha": "?", "Qualified To Buy": False}
    assert len(unsure) == 2


def test_a_required_column_that_is_not_exported_is_said_with_its_label(tmp_path: Path) -> None:
    deals = "Record ID,Deal Name,Deal Stage,Create Date\n9,Nine,Closed Won,2024-01-02\n"
    _, unsure, _ = said(folder_of(tmp_path, deals=deals, companies=COMPANIES))
    [sentence] = unsure
    assert sentence.startswith(
        'account_id: "?"  # not sure | deals.csv has no column for opportunities.account_id: export it with '
    )
    assert "Associated Company IDs (Primary)" in sentence


def test_a_primary_company_goes_before_the_list_which_counts_where_there_is_none(tmp_path: Path) -> None:
    deals = DEALS.replace("Record ID", "Record ID,Associated Company IDs (Primary)")
    deals += "9,2,Nine,Closed Won,,,,2024-01-02,1;2\n8,,Eight,Closed Won,,,,2024-01-02,2;1\n7,,Seven,Closed Won,,,,2024-01-02,1\n"
    files, _, notes = said(folder_of(tmp_path, deals=deals, companies=COMPANIES))
    columns = ["Associated Company IDs (Primary)", "Associated Company IDs"]
    assert files["deals.csv"]["opportunities"]["account_id"] == {"column": columns, "first": ";"}
    assert f"deals.csv: 1 rows have several ids in {' or '.join(columns)}; the first counts." in notes


def test_ids_of_reports_and_of_data_exports_are_made_alike(tmp_path: Path) -> None:
    """A report has the first 15 characters of the 18 that an export of data has."""
    account = "Id,Name,ParentId,BillingCountry,CreatedDate\n001xx000003DGb1AAG,One,,DE,2024-01-01T00:00:00.000Z\n"
    account += "001xx000003DGb2AAG,Two,001xx000003DGb1AAG,DE,2024-01-01T00:00:00.000Z\n"
    deals = "Opportunity ID,Opportunity Name,Account ID,Stage,Closed,Won,Created Date,Close Date\n"
    deals += "006xx000001Sv8F,Deal,001xx000003DGb1,Closed Won,1,1,2024-01-31,2024-02-01\n"
    files, unsure, _ = said(folder_of(tmp_path, Account=account, report1642=deals))
    assert unsure == []
    assert files["Account.csv"]["accounts"]["account_id"] == {"column": "Id", "characters": 15}
    assert files["Account.csv"]["accounts"]["parent_account_id"] == {"column": "ParentId", "characters": 15}
    assert files["report1642.csv"]["opportunities"]["is_won"] == "Won"


def test_order_items_of_few_columns_are_lines_of_orders(tmp_path: Path) -> None:
    orders = "Id,AccountId,StatusCode,EffectiveDate\n801xx000003DGb1AAG,001xx000003DGb1AAG,Activated,2024-01-31\n"
    items = "Id,OrderId,Product2Id,Quantity,TotalPrice\n802xx000003DGb1AAG,801xx000003DGb1AAG,01txx000003DGb1AAG,1,100\n"
    files, unsure, _ = said(folder_of(tmp_path, Order=orders, OrderItem=items))
    assert unsure == []
    assert files["OrderItem.csv"]["order_lines"]["order_id"] == "OrderId"


def test_a_folder_that_nobody_recognises_and_one_that_two_do_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InitError, match=r"has the headers of an export of HubSpot or Salesforce: write a mapping\.yml by hand"):
        map_folder(folder_of(tmp_path / "notes", notes="a,b\n1,2\n"))
    with pytest.raises(InitError, match="does not exist"):
        map_folder(tmp_path / "nothing")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    deals = DEALS + "9,Nine,Closed Won,New Business,1.50,2024-01-02,2024-01-01,1\n"
    return folder_of(tmp_path / "my exports", deals=deals, companies=COMPANIES)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert "Traceback" not in result.output
    return result.exit_code, result.output


def test_an_edited_mapping_is_replaced_only_on_demand(folder: Path) -> None:
    path = folder / "mapping.yml"
    assert run("init", folder)[0] == 0
    written = path.read_text()
    assert is_as_written(written)
    assert run("init", folder, "--from", "hubspot")[0] == 0
    path.write_text(written.replace("Company name", "Tier"))
    code, output = run("init", folder)
    assert (code, output) == (1, f"{path} was edited, or written by hand: --overwrite replaces it.\n")
    assert "account_name: Tier" in path.read_text()
    assert run("init", folder, "--overwrite")[0] == 0
    assert path.read_text() == written


def test_init_says_what_it_made_and_what_comes_next(folder: Path) -> None:
    (folder / "notes.csv").write_text("a,b\n1,2\n")
    code, output = run("init", folder)
    assert code == 0
    assert "companies.csv: companies" in output
    assert "deals.csv: deals" in output
    assert "notes.csv is not recognised: it is left out." in output
    assert f"Next: icp check {folder}" in output
    (folder / "deals.csv").write_text(DEALS + "9,Nine,Signed,New Business,1.50,2024-01-02,2024-01-01,1\n")
    code, output = run("init", folder)
    assert "Not sure, line 3" in output
    assert f"Next once no `?` is left: icp check {folder}" in output
    assert run("init", folder, "--from", "pipedrive")[0] == 1


@pytest.mark.usefixtures("warm_check")
@pytest.mark.slow
def test_check_reads_a_folder_by_its_mapping(folder: Path) -> None:
    run("init", folder)
    report = check_folder(folder)
    assert report.entities == [
        ("accounts", "companies.csv", 2, 0),
        ("account_external_ids", "companies.csv", 2, 0),
        ("opportunities", "deals.csv", 1, 0),
    ]
    assert report.folder.files["accounts"].ignored == ["Tier"]
    assert report.failures == []
    (folder / "mapping.yml").write_text("files: [\n")
    code, output = run("check", folder)
    assert code == 1
    assert "mapping.yml is not YAML in UTF-8: line 2" in output


EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples" / "mappings").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_example_of_a_mapping_reads_its_files_whole(example: Path, read_folder) -> None:
    tables = read_folder(example)
    assert tables["rejects"] == tables["dropped"] == []
    assert tables["accounts"]
    assert tables["opportunities"] or tables["orders"]


def test_styles_differ() -> None:
    """The forms of the exports above are what they say."""
    assert [style.number("1234.5") for style in (PLAIN_API, EUROPEAN, AMERICAN)] == ["1234.5", "1.234,50", "$1,234.50"]
    assert all(
        one.delimiter != other.delimiter or one.labels != other.labels for one, other in itertools.pairwise([EUROPEAN, AMERICAN])
    )
    assert isinstance(EUROPEAN, Style)
