"""Files that are hard to read lose no row in silence; folders that cannot be used stop the run with one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from conftest import BuildResult, InputBuild, frame, one_sentence
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
    "semicolons": Unusable(USABLE | {"accounts.csv": ACCOUNTS.replace(",", ";")}, ("accounts", "account_id")),
    "tabs": Unusable(USABLE | {"accounts.csv": ACCOUNTS.replace(",", "\t")}, ("accounts",)),
    "UTF-16": Unusable(USABLE | {"accounts.csv": ACCOUNTS.encode("utf-16")}, ("accounts",)),
    "bytes that are no CSV": Unusable(USABLE | {"accounts.csv": bytes(range(256)) * 8}, ("accounts",)),
    "a page of HTML": Unusable(USABLE | {"accounts.csv": "<html>\nSign in\n</html>\n"}, ("accounts", "account_id")),
    "no header": Unusable(USABLE | {"accounts.csv": "a1,One\na2,Two\n"}, ("accounts", "account_id")),
    "columns in capitals": Unusable(USABLE | {"accounts.csv": ACCOUNTS.upper()}, ("accounts", "account_id")),
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


UNUSABLE_VARIABLES = {
    "an unknown connector": ({"connectors": ["salesforce"]}, ("salesforce", "sample", "files")),
    "a connector that is no list": ({"connectors": "files", "files_dir": "x"}, ("connectors", "list")),
    "no connector": ({"connectors": []}, ("connector",)),
    "no folder given": ({"connectors": ["files"]}, ("files_dir",)),
    "an empty folder name": ({"connectors": ["files"], "files_dir": ""}, ("files_dir",)),
}


@pytest.mark.parametrize("kind", UNUSABLE_VARIABLES)
def test_unusable_connector_stops_the_run_with_one_sentence(kind: str, build_input: InputBuild) -> None:
    variables, words = UNUSABLE_VARIABLES[kind]
    sentence = one_sentence(build_input(variables=variables, check=False))
    assert all(word in sentence for word in words)


@pytest.mark.parametrize("name", ["two words, it's", "[1] of {2} (3)", "Ünïcode 訂單 & $HOME %20", "a*b?"])
def test_folder_is_read_whatever_its_name(name: str, build_input: InputBuild, tmp_path: Path) -> None:
    # Its neighbour must not be read in its place, or with it.
    write_files(tmp_path / "a-b-", {"accounts.csv": "account_id\nwrong\n", "orders.csv": ORDERS})
    result = build_input(write_files(tmp_path / name, USABLE), arguments=("--select", "+input_accounts"))
    assert sorted(frame(result.database, "input.input_accounts")["account_id"]) == ["a1", "a2"]
