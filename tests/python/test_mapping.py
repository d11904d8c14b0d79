"""mapping.yml in the folder of the `files` connector: what it makes of a file's values, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from conftest import BuildResult, InputBuild, frame, one_sentence

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def build_mapping(build_input: InputBuild, tmp_path_factory: pytest.TempPathFactory):
    """A function that builds the input layer of files and a mapping. Any folder is read under one name: dbt then parses once."""
    base = tmp_path_factory.mktemp("mapping")
    link = base / "my exports"

    def run(folder: Path, mapping: str, check: bool = True, **files: str) -> BuildResult:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")
        (folder / "mapping.yml").write_text(mapping, encoding="utf-8")
        link.unlink(missing_ok=True)
        link.symlink_to(folder, target_is_directory=True)
        return build_input(link, check=check, folder=base)

    return run


def rows(result: BuildResult, query: str) -> list[tuple]:
    return sorted(frame(result.database, f"({query})").itertuples(index=False, name=None), key=repr)


# A form of numbers, one of dates, and texts of a file: the amount and time that they are, or None where they are not read.
FORMS = {
    "european": ("1.234,56", "31/12/2025", {"1.234,56": 1234.56, "-1.234": -1234, "7,5": 7.5, "1234567,891": 1234567.891}),
    "not european": (
        "1.234,56",
        "31/12/2025",
        {"1,234.56": None, "1.5": None, "12.34,56": None, "1.2345": None, "5e3": None, "x": None},
    ),
    "blanks": ("1 234,56", "12/31/2025", {"1 234,56": 1234.56, "1\u00a0234": 1234, "1.234": None}),
    "swiss": ("1'234.56", "31.12.2025", {"1'234.50": 1234.5, "1,234": None}),
    "prefix": ("$1,234.56", "12/31/25", {"$1,234.56": 1234.56, "-$5": -5, "$-5.5": -5.5, "12": 12, "€12": None, "$": None}),
    "suffix": ("1.234,56 €", "2025/12/31", {"1.234,56 €": 1234.56, "-2€": -2, "3": 3}),
    "contract": ("1,234.56", "Dec 31, 2025", {"1,234.56": 1234.56, "1e3": 1000, "1.234,56": None}),
}
TIMES = {
    "31/12/2025": {
        "31/12/2025 23:59": "2025-12-31 23:59:00",
        "1/2/2025": "2025-02-01 00:00:00",
        "2025-12-31": "2025-12-31 00:00:00",
    },
    "12/31/2025": {
        "12/31/2025 1:05 PM": "2025-12-31 13:05:00",
        "12/31/2025, 12:30:05 am": "2025-12-31 00:30:05",
        "31/12/2025": None,
    },
    "31.12.2025": {"31.12.2025 07:08:09": "2025-12-31 07:08:09", "31.02.2025": None, "31.12.2025 13:05 PM": None},
    "12/31/25": {"12/31/25": "2025-12-31 00:00:00", "12/31/2025": None},
    "2025/12/31": {"2025/12/31": "2025-12-31 00:00:00", "2025-12-31T10:00:00+02:00": "2025-12-31 08:00:00"},
    "Dec 31, 2025": {"Dec 31, 2025 1:05\u202fPM": "2025-12-31 13:05:00", "May 1, 2025": "2025-05-01 00:00:00", "soon": None},
}


def test_numbers_and_times_are_read_in_the_form_that_is_said_and_in_no_other(build_mapping, tmp_path: Path) -> None:
    """What is not read is rejected with the text of the file; where it would be another number elsewhere, the form is added."""
    files = {"companies": "Id\nA\n"}
    mapping = "files:\n  companies.csv: {accounts: {account_id: Id}}\n"
    expected = []
    for number, (name, (amounts, dates, values)) in enumerate(FORMS.items()):
        lines = ["Id;When;Much"]
        for text, amount in values.items():
            expected.append((f"{number}-{len(lines)}", amount, "2025-01-31 00:00:00" if amount is not None else None))
            lines.append(f"{number}-{len(lines)};2025-01-31;{text}")
        for text, moment in TIMES.get(dates, {}).items() if name != "not european" else ():
            expected.append((f"{number}-{len(lines)}", 1 if moment else None, moment))
            lines.append(f"{number}-{len(lines)};{text};1")
        files[name] = "\n".join(lines) + "\n"
        mapping += f"""  {name}.csv:
    numbers: "{amounts}"
    dates: "{dates}"
    orders:
      order_id: Id
      account_id: {{constant: A}}
      order_status: {{constant: closed_won}}
      closed_at: When
      amount: Much
"""
    result = build_mapping(tmp_path, mapping, **files)
    read = {
        row[0]: row[1:] for row in rows(result, "select order_id, amount, cast(closed_at as varchar) from input.input_orders")
    }
    assert {key: (float(amount), moment) for key, (amount, moment) in read.items()} == {
        key: (float(amount), moment) for key, amount, moment in expected if amount is not None
    }
    rejects = rows(result, "select row_id, rule, column_value from input.input_rejects")
    assert {row[0] for row in rejects} == {key for key, amount, _ in expected if amount is None}
    assert {row[1] for row in rejects} <= {"unreadable_value", "implausible_date"}
    said = {row[2] for row in rejects}
    assert {"1.5 (not in the form 1.234,56)", "x", "€12", "31.02.2025", "soon", "31/12/2025"} <= said


VALUES = """
currency: EUR
files:
  companies.csv:
    currency: USD
    accounts:
      account_id: Id
      account_name: [Trade name, Name]
      industry: {column: Sector, values: {IT: Software, "": Unsaid, On: Switched on}, otherwise: Other}
    account_attributes: {account_id: Id, columns: [Tier, "Funding: stage"]}
    account_external_ids:
      - {account_id: Id, system: {constant: hubspot}, external_id: Id}
      - {account_id: Id, system: {constant: salesforce}, external_id: SF, skip_if_empty: SF}
  deals.csv:
    opportunities:
      where: {Deleted: false}
      opportunity_id: Id
      account_id: {column: Companies, first: ";"}
      stage: stage
      is_closed: {column: stage, values: {won: true, lost: true}, otherwise: false}
      is_won: {column: stage, values: {won: true}, otherwise: false}
      created_at: {constant: 2024-01-01}
      closed_at: {constant: 2024-02-01}
    orders:
      where: {STAGE: [won, paid], Deleted: [false, ~]}
      order_id: Id
      account_id: {column: Companies, characters: 1}
      order_status: {constant: closed_won}
      closed_at: {constant: 2024-02-01}
"""


def test_values_are_mapped_and_one_file_gives_two_entities(build_mapping, tmp_path: Path) -> None:
    companies = "Id,Name,Trade name,Sector,Tier,Funding: stage,SF,Unused\n"
    companies += "A,One,Uno,it,gold,,,\nB,Two,,ON,,seed,001,\nC,Three,,,,,,x\nD,,,Food,iron,late,,\n"
    deals = (
        "Id,Companies,Stage,Deleted\n1,A;B,Won,FALSE\n2, B ;A,demo,0\n3,C,LOST,no\n4,C,won,true\n5,,won,false\n6,C,,false\n7,C\n"
    )
    (tmp_path / "exchange_rates.csv").write_text("currency_code,valid_from,rate\nEUR,2020-01-01,1.1\n")
    result = build_mapping(tmp_path, VALUES, companies=companies, deals=deals)
    assert rows(result, "select account_id, account_name, industry from input.input_accounts") == [
        ("A", "Uno", "Software"),
        ("B", "Two", "Switched on"),
        ("C", "Three", "Unsaid"),
        ("D", None, "Other"),
    ]
    assert rows(result, "select account_id, attribute, value from input.input_account_attributes") == [
        ("A", "Tier", "gold"),
        ("B", "Funding: stage", "seed"),
        ("D", "Funding: stage", "late"),
        ("D", "Tier", "iron"),
    ]
    ids = rows(result, "select system, external_id from input.input_account_external_ids")
    assert ids == [*(("hubspot", account) for account in "ABCD"), ("salesforce", "001")]
    deals = rows(result, "select opportunity_id, account_id, is_closed, is_won, currency_code from input.input_opportunities")
    assert deals == [("1", "A", True, True, "EUR"), ("2", "B", False, False, "EUR"), ("3", "C", True, False, "EUR")]
    assert rows(result, "select order_id, account_id, currency_code from input.input_orders") == [("1", "A", "EUR")]
    assert rows(result, "select entity, row_id, rule, column_name from input.input_rejects") == [
        ("opportunities", "5", "missing_value", "account_id"),
        ("opportunities", "6", "missing_value", "is_closed"),
        ("opportunities", None, "malformed_line", None),
        ("orders", "5", "missing_value", "account_id"),
        ("orders", None, "malformed_line", None),
    ]
    columns = rows(result, "select entity, column_name from input.input_source_columns where column_use = 'ignored'")
    assert columns == [(entity, "Unused") for entity in ("account_attributes", "account_external_ids", "accounts")]


NASTY = [
    "'",
    "''); drop schema raw_files cascade; --",
    '"; select 1; --',
    "{{ 1 / 0 }}",
    "{% do x %}",
    "\\",
    "$$",
    "a;b",
    "é😀",
    "%s",
    "--",
]


def test_texts_of_a_mapping_are_never_sql(build_mapping, tmp_path: Path) -> None:
    """Headers, values, constants, conditions, separators and forms, each with quotes and statements in it."""
    quoted = ["'" + text.replace("'", "''") + "'" for text in NASTY]
    header = ",".join('"' + text.replace('"', '""') + '"' for text in ["Id", *NASTY])
    mapping = "files:\n  companies.csv:\n    accounts: {account_id: Id}\n    account_attributes:\n"
    for text in quoted:
        mapping += f"""
      - where: {{{text}: {text}}}
        skip_if_empty: {text}
        account_id: {{column: Id, first: {text}}}
        attribute: {{constant: {text}}}
        value: {{column: {text}, values: {{{text}: {text}}}, otherwise: {text}}}
"""
    mapping += "  deals.csv:\n    orders:\n      {order_id: Id, account_id: Id,"
    mapping += " order_status: {constant: open}, closed_at: {constant: 2024-01-01}}\n"
    values = ",".join('"' + text.replace('"', '""') + '"' for text in ["A", *NASTY])
    result = build_mapping(tmp_path, mapping, companies=f"{header}\n{values}\n", deals="Id\nA\n")
    found = rows(result, "select attribute, value from input.input_account_attributes where attribute = value")
    assert [text for text in NASTY if (text, text) not in found] in ([], ["--"]), found
    assert rows(result, "select entity, rule from input.input_rejects") in ([], [("account_attributes", "missing_value")])


WRONG = """
number: "1.234,56"
files:
  companies.csv:
    dates: 13/12/2025
    accounts: {account_id: Id, name: Name, created_at: When, industry: Sektor}
    campaigners: {id: Id}
  deals.csv:
    numbers: "?"
    opportunities:
      opportunity_id: Id
      account_id: {colum: Id}
      opportunity_type: {column: Id, values: {a: newish, b: "?", B: renewal}}
      is_closed: {constant: "?"}
      is_won: {constant: perhaps}
      amount: Id
      currency_code: {constant: euro}
      created_at: Id
      stage: "?"
      closed_at: No
    orders: Id
  gone.csv: {accounts: {account_id: Id}}
  notes.txt: {accounts: {account_id: Id}}
"""


def test_everything_that_is_wrong_with_a_mapping_is_said_at_once(build_mapping, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    result = build_mapping(tmp_path, WRONG, check=False, companies="Id,When,When\nA,,\n", deals="Id\nA\n")
    sentence = one_sentence(result)
    for part in (
        "mapping.yml: there is no key `number` (files, numbers, dates, currency).",
        "mapping.yml, companies.csv, accounts: there is no column `name` (account_id, account_name,",
        "accounts.created_at: the file has the column `When` more than once.",
        "accounts.industry: the file has no column `Sektor` (it has Id, When, When).",
        "accounts.created_at: dates is `13/12/2025`, not a form of 31 December 2025 such as",
        "mapping.yml, companies.csv: there is no entity `campaigners` (accounts,",
        "opportunities.account_id: there is no key `colum` (column, constant,",
        "opportunities.opportunity_type, `a`: `newish` is not one of new_business, expansion, renewal.",
        "opportunities.opportunity_type, `b` is undecided: put new_business, expansion, renewal in place of `?`.",
        "opportunities.opportunity_type: values has `B` twice (case does not count).",
        "opportunities.is_closed is undecided: put true, false in place of `?`.",
        "opportunities.is_won: `perhaps` is not one of true, false.",
        "opportunities.amount is undecided: put the form of numbers, such as 1,234.56 or 1.234,56, in place of `?`.",
        "opportunities.currency_code: `euro` is not a currency code of three letters.",
        "opportunities.stage is undecided: put a header in place of `?` (Id).",
        "opportunities.closed_at: the header is missing, or is a word such as Yes or No that YAML reads otherwise",
        "mapping.yml, deals.csv, orders: its columns are missing.",
        "mapping.yml names gone.csv, which is not a CSV or Parquet file in the folder (there: companies.csv, deals.csv,",
        "mapping.yml names notes.txt, which is not a CSV or Parquet file in the folder",
    ):
        assert part in sentence, part


ACCOUNTS = "files:\n  companies.csv: {accounts: {account_id: Id}}\n"
DEAL = "  deals.csv: {opportunities: {opportunity_id: Id, account_id: Id, is_closed: Id, is_won: Id, created_at: Id}}\n"
UNUSABLE = {
    "not YAML": ("files: [", ("not YAML", "my exports")),
    "nothing": ("", ("not YAML",)),
    "a text": ("hello", ("files",)),
    "files as a list": ("files: [companies.csv]", ("files",)),
    "a tag": ("files: !!python/object/apply:os.system [ls]", ("not YAML",)),
    "a required column that is not said": (
        ACCOUNTS + "  deals.csv: {opportunities: {opportunity_id: Id, account_id: Id}}\n",
        ("opportunities", "is_closed, is_won, created_at", "mapping.yml says nothing about them for deals.csv"),
    ),
    "no orders": (ACCOUNTS, ("orders and opportunities",)),
    "an entity that a file of the contract has too": (ACCOUNTS + DEAL + "", ("accounts twice", "accounts.csv")),
    "conditions that are no list": (ACCOUNTS.replace("{account_id", "{where: Id, account_id") + DEAL, ("where is a list",)),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_mapping_that_cannot_be_used_stops_the_run_with_one_sentence(kind: str, build_mapping, tmp_path: Path) -> None:
    mapping, words = UNUSABLE[kind]
    files = {"companies": "Id\nA\n", "deals": "Id\nA\n"}
    if "twice" in words[0]:
        files["accounts"] = "account_id\nA\n"
    sentence = one_sentence(build_mapping(tmp_path, mapping, check=False, **files))
    assert all(word in sentence for word in words), sentence


def test_parquet_is_mapped_as_csv_is(build_mapping, tmp_path: Path) -> None:
    moment = "timestamp '2024-01-31 10:00:00'"
    duckdb.sql(f'copy (select 7 as "Id", {moment} as "When", 1.5 as "Much") to \'{tmp_path}/deals.parquet\' (format parquet)')
    mapping = (
        "files:\n  companies.csv: {accounts: {account_id: Id}}\n  deals.parquet:\n    dates: 31/12/2025\n    numbers: 1.234,56\n"
    )
    mapping += "    orders: {order_id: Id, account_id: {constant: A}, order_status: {constant: open}, closed_at: When,\n"
    mapping += "      amount: {column: Much, numbers: '1234.56'}}\n"
    result = build_mapping(tmp_path, mapping, companies="Id\nA\n")
    read = rows(result, "select order_id, cast(closed_at as varchar), cast(amount as double) from input.input_orders")
    assert read == [("7", "2024-01-31 10:00:00", 1.5)]
