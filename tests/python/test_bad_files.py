"""Files that are hard to read lose no row in silence; folders that cannot be used stop the run with one sentence."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from conftest import BuildResult, InputBuild, build, frame, one_sentence
from reference import COLUMNS

# --- Files that are hard to read as CSV --------------------

ACCOUNTS = "account_id,account_name\na1,One\na2,Two\n"
ORDERS = "order_id,account_id,order_status,closed_at,amount\no1,a1,closed_won,2024-01-01,100.00\n"
PRODUCTS = "product_id,product_name\n"
MANY = [f"p{number},Product {number}\n" for number in range(30_000)]

FOLDER = "my files"

Files = dict[str, str | bytes | None]


def write_files(folder: Path, files: Files) -> Path:
    """Write files by name: text, bytes, or None for a folder of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture(scope="session")
def build_files(build_input: InputBuild, tmp_path_factory: pytest.TempPathFactory) -> InputBuild:
    """As `build_input`, but any folder is read under one name: dbt then has no need to parse again."""
    base = tmp_path_factory.mktemp("files")
    link = base / FOLDER

    def run(folder: Path, *arguments: str) -> BuildResult:
        link.unlink(missing_ok=True)
        link.symlink_to(folder, target_is_directory=True)
        return build_input(link, check=False, arguments=arguments, folder=base)

    return run


# What the file says: the number of lines, its text, and the rows that can be read of it in one way only.
HARD_FILES: dict[str, tuple[int, str | bytes, dict[str, str]]] = {
    "Windows and Unix line ends in one file": (
        3,
        PRODUCTS + "p1,One\r\np2,Two\np3,Three\r\n",
        {"p1": "One", "p2": "Two", "p3": "Three"},
    ),
    "a line end inside an unquoted name": (3, PRODUCTS + "p1,O\rne\np2,Two\n", {"p1": "O", "p2": "Two"}),
    "text after a closing quote": (2, PRODUCTS + 'p1,"The" Big\np2,Two\n', {"p2": "Two"}),
    "quotes inside quotes": (2, PRODUCTS + 'p1,"The "Big" One"\np2,Two\n', {"p2": "Two"}),
    "quotes escaped by a backslash": (3, PRODUCTS + 'p1,"6\\" pipe"\np2,Two\np3,Three\n', {"p2": "Two", "p3": "Three"}),
    "a quote inside an unquoted name": (2, PRODUCTS + 'p1,6" pipe\np2,Two\n', {"p1": '6" pipe', "p2": "Two"}),
    "a quote that is never closed": (3, PRODUCTS + 'p1,One\np2,"Two\np3,Three\n', {"p1": "One"}),
    "a first quote that is never closed": (3, PRODUCTS + 'p1,One\n"p2,Two\np3,Three\n', {"p1": "One"}),
    "a lone carriage return in a file of Windows": (
        3,
        "product_id,product_name\r\np1,One\rp2,Two\r\np3,Three\r\n",
        {"p1": "One", "p2": "Two", "p3": "Three"},
    ),
    "a quote that is closed by another's": (
        4,
        PRODUCTS + 'p1,One\np2,"Two\np3,"Three"\np4,Four\n',
        {"p1": "One", "p4": "Four"},
    ),
    "a quote that is never closed, late in a long file": (
        len(MANY) + 1,
        PRODUCTS + "".join([*MANY[:25_000], 'pq,"Product\n', *MANY[25_000:]]),
        {f"p{number}": f"Product {number}" for number in range(25_000)},
    ),
    "a line of three million characters": (
        3,
        PRODUCTS + f"p1,One\np2,{'x' * 3_000_000}\np3,Three\n",
        {"p1": "One", "p2": "x" * 3_000_000, "p3": "Three"},
    ),
    "nothing but malformed lines": (2, PRODUCTS + "p1\np2,Two,Zwei\n", {}),
    "Latin-1 throughout": (3, (PRODUCTS + "p1,caf\u00e9\np2,th\u00e9\np3,tea\n").encode("latin-1"), {"p3": "tea"}),
    "Latin-1 in a last column that is not read": (
        2,
        "product_id,product_name,note\np1,One,caf\u00e9\np2,Two,tea\n".encode("latin-1"),
        {"p1": "One", "p2": "Two"},
    ),
    "no header, only a row": (1, "p1,One\n", {}),
}


@pytest.mark.parametrize("kind", HARD_FILES)
def test_file_that_is_hard_to_read_loses_no_row_in_silence(kind: str, build_files: InputBuild, tmp_path: Path) -> None:
    """Either each line is accepted as it stands or rejected, or the run stops and says which file it is."""
    lines, content, names = HARD_FILES[kind]
    write_files(tmp_path, {"accounts.csv": ACCOUNTS, "orders.csv": ORDERS, "products.csv": content})
    result = build_files(tmp_path, "--select", "+input_products", "input_malformed_lines")
    if result.returncode != 0:
        sentence = one_sentence(result)
        assert FOLDER in sentence
        assert "products" in sentence
    else:
        accepted = frame(result.database, "input.input_products")
        rejected = frame(result.database, "(from input.input_products__checked where reject_rule is not null)")
        dropped = frame(result.database, "(from input.input_malformed_lines where entity = 'products')")
        found = dict(zip(accepted["product_id"], accepted["product_name"], strict=True))
        assert {product: name for product, name in found.items() if names.get(product) != name} == {}
        assert len(accepted) + len(rejected) + len(dropped) == lines


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["Unix", "Windows"])
@pytest.mark.parametrize(
    "lines",
    [
        ["order_id,order_line_id,amount,product_id", "O1,L1,5,p", "O1,L2,6,caf\u00e9"],
        ["order_line_id,amount,product_id,order_id", "L1,5,p,O1", "L2,6,caf\u00e9,O1"],
        ["order_line_id,order_id,amount,product_id", '"L1","O1","5","p"', '"L2","O1","6","caf\u00e9"'],
        ["order_line_id;order_id;product_id;amount", '"L1";"O;1";"p";"5"', '"L2";"O;1";"caf\u00e9";"6"'],
    ],
    ids=["order first", "order last", "quoted", "delimiter in the id"],
)
def test_a_line_in_latin_1_costs_the_order_that_it_names(
    lines: list[str], end: str, build_files: InputBuild, tmp_path: Path
) -> None:
    """Wherever the id stands in it, and the build goes on: its number is that of the line, and the money is accounted for."""
    order = "O;1" if ";" in lines[0] else "O1"
    orders = f"{ORDERS}{order},a1,closed_won,2024-01-01,\n"
    content = "".join(line + end for line in lines).encode("latin-1")
    write_files(tmp_path, {"accounts.csv": ACCOUNTS, "orders.csv": orders, "order_lines.csv": content})
    result = build_files(tmp_path, "--select", "+input_rejects")
    assert result.returncode == 0, result.stdout
    rejects = frame(result.database, "input.input_rejects")
    assert set(zip(rejects["row_id"], rejects["rule"], strict=True)) == {
        ("3", "malformed_line"),
        ("L1", "order_rejected"),
        (order, "rejected_line"),
    }


# --- Folders that cannot be used --------------------


def _required(entity: str) -> list[str]:
    return [column.name for column in COLUMNS[entity] if column.required]


def _without(entity: str, missing: str) -> Files:
    """A usable folder in which one entity has one row and every column but one."""
    names = [column.name for column in COLUMNS[entity] if column.name != missing]
    files: Files = {"accounts.csv": ACCOUNTS, "orders.csv": ORDERS}
    return files | {f"{entity}.csv": ",".join(names) + "\n" + ",".join("x" for _ in names) + "\n"}


def _parquet(folder: Path, query: str) -> bytes:
    """The bytes of a Parquet file."""
    path = folder / "made.parquet"
    duckdb.sql(f"copy ({query}) to '{path}' (format parquet)")
    content = path.read_bytes()
    path.unlink()
    return content


@dataclass(frozen=True)
class Unusable:
    """Files of a folder that cannot be used, and the words that have to be in the sentence."""

    files: Files | None
    words: tuple[str, ...] = ()


USABLE: Files = {"accounts.csv": ACCOUNTS, "orders.csv": ORDERS}
UNUSABLE = {
    "no such folder": Unusable(None, ("not exist",)),
    "an empty folder": Unusable({}, ("no file",)),
    "files of another kind": Unusable({"readme.txt": "accounts", "accounts.csv.gz": b"x"}, ("no file",)),
    "no accounts": Unusable({"orders.csv": ORDERS}, ("accounts", "required")),
    "neither orders nor opportunities": Unusable({"accounts.csv": ACCOUNTS}, ("orders", "opportunities")),
    "no bytes": Unusable(USABLE | {"contacts.csv": ""}, ("contacts", "empty")),
    "no bytes, Parquet": Unusable(USABLE | {"contacts.parquet": b""}, ("contacts", "empty")),
    "only line ends": Unusable(USABLE | {"accounts.csv": "\n\n"}, ("accounts",)),
    "accounts without rows": Unusable(USABLE | {"accounts.csv": "account_id,country\n"}, ("accounts", "rows")),
    "orders without rows": Unusable(
        USABLE | {"orders.csv": "order_id,account_id,order_status,closed_at"}, ("orders", "opportunities", "rows")
    ),
    "CSV and Parquet of one entity": Unusable(USABLE | {"orders.parquet": b"x"}, ("orders", "twice")),
    "bytes that are no Parquet": Unusable(
        {"accounts.csv": ACCOUNTS, "orders.parquet": bytes(range(256)) * 8}, ("orders.parquet",)
    ),
    "a Parquet file cut off": Unusable({"accounts.csv": ACCOUNTS, "orders.parquet": b"PAR1\x15\x04"}, ("orders.parquet",)),
    "a folder named like a file": Unusable({"accounts.csv": ACCOUNTS, "orders.csv": None}, ("orders",)),
    "UTF-16": Unusable(USABLE | {"accounts.csv": ACCOUNTS.encode("utf-16")}, ("accounts",)),
    "bytes that are no CSV": Unusable(USABLE | {"accounts.csv": bytes(range(256)) * 8}, ("accounts",)),
    "a page of HTML": Unusable(USABLE | {"accounts.csv": "<html>\nSign in\n</html>\n"}, ("accounts", "account_id")),
    "no header": Unusable(USABLE | {"accounts.csv": "a1,One\na2,Two\n"}, ("accounts", "account_id")),
    "a column twice": Unusable(USABLE | {"orders.csv": ORDERS.replace("amount", "amount,Amount")}, ("orders", "amount", "twice")),
    "a column in two spellings": Unusable(
        USABLE | {"accounts.csv": "account_id,Account Name,account-name\na1,One,Two\n"}, ("accounts", "account_name", "twice")
    ),
    "one entity in two spellings": Unusable(USABLE | {"Accounts.CSV": ACCOUNTS}, ("accounts", "twice")),
    "gaps in two entities": Unusable(
        {"accounts.csv": "name\nOne\n", "orders.csv": "order_id\no1\n"},
        ("account_id", "account_id, order_status, closed_at"),
    ),
    **{
        f"{entity} without {column}": Unusable(_without(entity, column), (entity, column))
        for entity, column in (
            ("accounts", "account_id"),
            ("account_attributes", "value"),
            ("opportunities", "is_won"),
            ("opportunity_stages", "entered_at"),
            ("orders", "closed_at"),
            ("order_lines", "amount"),
            ("products", "product_id"),
            ("campaign_spend", "spent_on"),
            ("exchange_rates", "rate"),
        )
    },
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_folder_stops_the_run_with_one_sentence(kind: str, build_files: InputBuild, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    if (files := UNUSABLE[kind].files) is not None:
        write_files(folder, files)
    sentence = one_sentence(build_files(folder))
    assert all(word in sentence for word in (FOLDER, *UNUSABLE[kind].words))


def test_columns_missing_from_a_parquet_file_stop_the_run(build_files: InputBuild, tmp_path: Path) -> None:
    orders = _parquet(tmp_path, "select 'o1' as order_id, 'a1' as account_id, 'open' as order_status")
    folder = write_files(tmp_path / "files", {"accounts.csv": ACCOUNTS, "orders.parquet": orders})
    sentence = one_sentence(build_files(folder))
    assert all(word in sentence for word in (FOLDER, "orders", "closed_at"))


# Spellings of one little company: file names, headers, delimiters.
SPELLINGS: dict[str, Files] = {
    "as in the contract": USABLE,
    "semicolons": {name: text.replace(",", ";") for name, text in USABLE.items()},
    "tabs": {name: text.replace(",", "\t") for name, text in USABLE.items()},
    "pipes": {name: text.replace(",", "|") for name, text in USABLE.items()},
    "headers in capitals": USABLE | {"accounts.csv": "ACCOUNT_ID,ACCOUNT_NAME\na1,One\na2,Two\n"},
    "headers with blanks and hyphens": USABLE | {"accounts.csv": '" Account ID ",account-name\na1,One\na2,Two\n'},
    "file names in capitals": {"Accounts.CSV": ACCOUNTS, " ORDERS.csv": ORDERS},
    "a thousand more columns": USABLE
    | {
        "accounts.csv": "".join(
            f"{line},{','.join(f'{mark}{number}' for number in range(1000))}\n"
            for line, mark in zip(ACCOUNTS.splitlines(), ("note ", "x", "y"), strict=True)
        )
    },
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_spelling_of_names_headers_and_delimiters_changes_nothing(kind: str, build_files: InputBuild, tmp_path: Path) -> None:
    result = build_files(write_files(tmp_path / "files", SPELLINGS[kind]), "--select", "+input_orders", "+input_rejects")
    assert result.returncode == 0, result.stdout
    accounts = frame(result.database, "input.input_accounts")
    assert sorted(zip(accounts["account_id"], accounts["account_name"], strict=True)) == [("a1", "One"), ("a2", "Two")]
    assert list(frame(result.database, "input.input_orders")["amount"]) == [100]
    assert frame(result.database, "input.input_rejects").empty


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_name_of_a_folder_is_never_data(form: str, build_input: InputBuild, tmp_path: Path) -> None:
    folder = tmp_path / "region=HIVE" / "currency_code=JPY" / "account_id=A1"
    files = {"accounts.csv": ACCOUNTS, "orders.csv": ORDERS}
    if form == "parquet":
        files = {
            "accounts.parquet": _parquet(tmp_path, "select unnest(['a1', 'a2']) as account_id"),
            "orders.parquet": _parquet(
                tmp_path,
                "select 'o1' as order_id, 'a1' as account_id, 'closed_won' as order_status, '2024-01-01' as closed_at, 100 as amount",
            ),
        }
    result = build_input(write_files(folder, files), arguments=("--select", "+input_orders", "+input_rejects"))
    assert set(frame(result.database, "input.input_accounts")["region"]) == {None}
    orders = frame(result.database, "input.input_orders")
    assert list(zip(orders["account_id"], orders["currency_code"], strict=True)) == [("a1", None)]
    assert frame(result.database, "input.input_rejects").empty


def test_where_every_order_is_rejected_the_build_stops_with_the_rules(build_files: InputBuild, tmp_path: Path) -> None:
    orders = ORDERS.replace("a1", "nobody") + "o2,a1,closed_won,soon,5\n"
    result = build_files(write_files(tmp_path / "files", USABLE | {"orders.csv": orders}))
    assert result.returncode != 0
    assert (
        "Every row of orders was rejected, so nothing can be built:"
        " 1 unknown_account (account_id `nobody`), 1 unreadable_value (closed_at `soon`)." in result.stdout
    )
    assert "Traceback" not in result.stdout


# One bad cell in each optional column on which neither identity nor money nor the date of a fact depends.
BAD_CELLS = {
    "accounts": (
        "account_id,merged_into_account_id,employee_count,annual_revenue,created_at",
        "a1,nobody,about 50,1.2M,2023-01-01 10:00 tbd",
    ),
    "contacts": (
        "contact_id,account_id,created_at,became_lead_at,became_mql_at,became_sql_at",
        "c1,a1,soon,31/12/2024,Q3,1753-01-01",
    ),
    "opportunities": (
        "opportunity_id,account_id,opportunity_type,is_closed,is_won,created_at",
        "d1,a1,New Customer,no,no,2023-01-01",
    ),
    "opportunity_stages": ("opportunity_id,stage,stage_order,entered_at", "d1,demo,third,2023-01-01"),
    "orders": ("order_id,account_id,order_status,closed_at,amount", "o1,a1,closed_won,2024-01-01,100"),
    "order_lines": ("order_line_id,order_id,amount,quantity,cost", "l1,o1,100,11-50,free"),
    "products": ("product_id,product_type", "p1,hardware"),
    "campaigns": ("campaign_id,started_on,ended_on", "k1,spring,31.12.2024"),
    "campaign_members": ("campaign_id,account_id,added_at,responded", "k1,a1,2023-01-01,perhaps"),
}


def test_bad_optional_cell_costs_its_value_and_no_row(build_files: InputBuild, tmp_path: Path) -> None:
    files: Files = {f"{entity}.csv": "\n".join(lines) + "\n" for entity, lines in BAD_CELLS.items()}
    result = build_files(write_files(tmp_path / "files", files))
    assert result.returncode == 0, result.stdout
    assert frame(result.database, "input.input_rejects").empty
    assert {entity: len(frame(result.database, f"input.input_{entity}")) for entity in BAD_CELLS} == dict.fromkeys(BAD_CELLS, 1)
    dropped = frame(result.database, "input.input_dropped_values")
    assert len(dropped) == 16
    for value in dropped.to_dict("records"):
        accepted = frame(result.database, f"input.input_{value['entity']}")
        assert accepted[value["column_name"]][0] is None
        assert value["column_value"] in BAD_CELLS[value["entity"]][1]


def test_lines_of_won_opportunities_are_accepted_without_orders(build_files: InputBuild, tmp_path: Path) -> None:
    """By `opportunity_id` or by an `order_id` that is an opportunity's; a rejected line rejects the whole deal."""
    deals = "opportunity_id,account_id,is_closed,is_won,created_at,closed_at\n"
    deals += "".join(f"d{number},a1,true,true,2024-01-01,2024-02-01\n" for number in (1, 2, 3))
    lines = "order_line_id,order_id,opportunity_id,amount,billing_months,term_months\n"
    lines += "l1,,d1,100,1,\nl2,d2,,200,,12\nl3,,d3,300,,\nl4,,d3,much,,\nl5,,d9,1,,\nl6,,,1,,\n"
    files = {"accounts.csv": ACCOUNTS, "opportunities.csv": deals, "order_lines.csv": lines}
    result = build_files(write_files(tmp_path / "files", files))
    assert result.returncode == 0, result.stdout
    accepted = frame(result.database, "input.input_order_lines")
    assert sorted(
        zip(accepted["order_line_id"], accepted["order_id"], accepted["billing_months"], accepted["term_months"], strict=True)
    ) == [
        ("l1", "d1", 1, None),
        ("l2", "d2", None, 12),
    ]
    rejects = frame(result.database, "input.input_rejects")
    assert set(zip(rejects["row_id"], rejects["rule"], rejects["column_value"], strict=True)) == {
        ("d3", "rejected_line", "l4"),
        ("l3", "order_rejected", "d3"),
        ("l4", "unreadable_value", "much"),
        ("l5", "unknown_order", "d9"),
        ("l6", "missing_value", None),
    }


def test_a_pipe_is_not_waited_for(build_files: InputBuild, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "files", USABLE)
    os.mkfifo(folder / "contacts.csv")
    sentence = one_sentence(build_files(folder))
    assert all(word in sentence for word in (FOLDER, "contacts.csv is not a regular file (a pipe or a device)"))


def test_a_file_that_is_replaced_while_it_is_read_stops_the_build(build_files: InputBuild, tmp_path: Path) -> None:
    """Again and again, by the same rows: some read would have met another file than the one before."""
    folder = write_files(tmp_path / "files", USABLE)
    done = threading.Event()

    def replace_it() -> None:
        while not done.wait(0.002):
            (tmp_path / "new.csv").write_text(ORDERS)
            (tmp_path / "new.csv").replace(folder / "orders.csv")

    thread = threading.Thread(target=replace_it)
    thread.start()
    result = build_files(folder)
    done.set()
    thread.join()
    assert result.returncode != 0
    assert "Traceback" not in result.stdout
    [said] = {line.strip() for line in result.stdout.splitlines() if "Changed or replaced while it was read" in line}
    assert said.endswith("orders.csv. Build again when nobody writes to it.")


# A currency that was once worth a million: amounts of a million and more in it are a trillion.
RATES = "currency_code,valid_from,rate\nBTC,2020-01-01,1000000\nBTC,2024-01-01,2\n"
AT_A_RATE: dict[str, tuple[str, set[tuple[str, str]]]] = {
    "orders": (
        "order_id,account_id,order_status,closed_at,currency_code,amount\n"
        + "".join(
            f"{name},a1,closed_won,2024-02-01,{name[-3:]},{name[:-3]}\n" for name in ("999999BTC", "1000000BTC", "1000000USD")
        )
        + "".join(f"{name},a1,closed_won,2024-02-01,BTC,5\n" for name in ("line", "cost", "good")),
        {("1000000BTC", "amount"), ("line", "order_line_id"), ("cost", "order_line_id")},
    ),
    "order_lines": (
        "order_line_id,order_id,amount,cost\nl1,line,-1e6,\nl2,cost,1,1e9\nl3,good,1,1\n",
        {("l1", "amount"), ("l2", "cost")},
    ),
    "opportunities": (
        "opportunity_id,account_id,is_closed,is_won,created_at,currency_code,amount\nd1,a1,no,no,2024-02-01,BTC,1e6\nd2,a1,no,no,2024-02-01,BTC,1\n",
        {("d1", "amount")},
    ),
    "campaign_spend": (
        "campaign_id,spent_on,amount,currency_code\nk1,2024-02-01,1e6,BTC\nk2,2024-02-01,1,BTC\n",
        {("k1", "amount")},
    ),
}


def test_an_amount_that_is_a_trillion_at_a_rate_of_its_currency_is_rejected(build_files: InputBuild, tmp_path: Path) -> None:
    files: Files = {"accounts.csv": ACCOUNTS, "exchange_rates.csv": RATES}
    files |= {f"{entity}.csv": text for entity, (text, _) in AT_A_RATE.items()}
    result = build_files(write_files(tmp_path / "files", files))
    assert result.returncode == 0, result.stdout
    rejects = frame(result.database, "input.input_rejects")
    for entity, (_, expected) in AT_A_RATE.items():
        mine = rejects[rejects["entity"] == entity]
        assert set(zip(mine["row_id"], mine["column_name"], strict=True)) == expected, entity


@pytest.mark.slow
def test_amounts_that_add_up_to_more_than_marts_hold_are_one_sentence(tmp_path: Path) -> None:
    orders = "order_id,account_id,order_status,closed_at,amount\n"
    orders += "".join(f"o{number},a1,closed_won,2024-01-01,999999999999\n" for number in range(101))
    files = write_files(tmp_path / "files", {"accounts.csv": ACCOUNTS, "orders.csv": orders})
    result = build(tmp_path, files, check=False, unit_tests=False, data_tests=False)
    assert result.returncode != 0
    assert "The amounts of int_order_lines add up to 100999999999899 USD: marts hold sums below 100000000000000" in result.stdout
    assert "Traceback" not in result.stdout
    assert "Conversion Error" not in result.stdout


UNUSABLE_VARIABLES = {
    "an unknown connector": ({"connectors": ["stripe"]}, ("stripe", "sample", "files")),
    "a connector that is no list": ({"connectors": "files", "files_dir": "x"}, ("connectors", "list")),
    "no connector": ({"connectors": []}, ("connector",)),
    "placeholders that are no list": (
        {"connectors": ["files"], "files_dir": "x", "missing_values": "n/a"},
        ("missing_values", "list"),
    ),
    "no folder given": ({"connectors": ["files"]}, ("files_dir",)),
    "an empty folder name": ({"connectors": ["files"], "files_dir": ""}, ("files_dir",)),
}


@pytest.mark.parametrize("kind", UNUSABLE_VARIABLES)
def test_unusable_connector_stops_the_run_with_one_sentence(kind: str, build_input: InputBuild) -> None:
    variables, words = UNUSABLE_VARIABLES[kind]
    sentence = one_sentence(build_input(variables=variables, check=False, parse=True))
    assert all(word in sentence for word in words)


@pytest.mark.parametrize("name", ["two words, it's", "[1] of {2} (3)", "Ünïcode 訂單 & $HOME %20", "a*b?"])
def test_folder_is_read_whatever_its_name(name: str, build_input: InputBuild, tmp_path: Path) -> None:
    # Its neighbour must not be read in its place, or with it.
    write_files(tmp_path / "a-b-", {"accounts.csv": "account_id\nwrong\n", "orders.csv": ORDERS})
    result = build_input(write_files(tmp_path / name, USABLE), arguments=("--select", "+input_accounts"))
    assert sorted(frame(result.database, "input.input_accounts")["account_id"]) == ["a1", "a2"]
