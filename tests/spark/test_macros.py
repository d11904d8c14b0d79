"""What both engines make of the macros, and of expressions that each would read in its own way."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from conftest import ENGINES

Ask = Callable[..., list[list[dict[str, Any]]]]

# A name, an expression with macros, and what it is on both engines.
EXPRESSIONS = {
    # Dates and times: the forms that a cast of Spark reads besides, and those that it does not.
    "a_year_is_no_date": ("{{ read_date(\"'2024'\") }}", None),
    "a_month_is_no_date": ("{{ read_date(\"'2024-01'\") }}", None),
    "a_date_with_slashes": ("{{ read_date(\"'2024/05/01'\") }}", None),
    "a_date_with_one_digit": ("{{ read_date(\"'2024-1-5'\") }}", None),
    "no_such_day": ("{{ read_date(\"'2024-02-30'\") }}", None),
    "a_day": ("{{ read_date(\"'2024-02-29'\") }}", date(2024, 2, 29)),
    "a_basic_day": ("{{ read_date(\"'20240131'\") }}", date(2024, 1, 31)),
    "a_time": ("{{ read_timestamp(\"'2024-01-01t10:00:30.5'\") }}", datetime(2024, 1, 1, 10, 0, 30, 500000)),
    "a_time_with_an_offset": ("{{ read_timestamp(\"'2024-01-01 10:00:00 +02:30'\") }}", datetime(2024, 1, 1, 7, 30)),
    "a_time_with_a_wide_offset": ("{{ read_timestamp(\"'2024-01-01T10:00:00-23:59'\") }}", datetime(2024, 1, 2, 9, 59)),
    "a_basic_time": ("{{ read_timestamp(\"'20240131T103015,25+0230'\") }}", datetime(2024, 1, 31, 8, 0, 15, 250000)),
    "midnight_at_the_end": ("{{ read_timestamp(\"'2024-01-01T24:00:00'\") }}", datetime(2024, 1, 2)),
    "more_digits_than_microseconds": (
        "{{ read_timestamp(\"'2024-01-01T10:00:00.123456789Z'\") }}",
        datetime(2024, 1, 1, 10, 0, 0, 123456),
    ),
    "no_such_minute": ("{{ read_timestamp(\"'2024-01-01T10:60Z'\") }}", None),
    "a_stored_date": ("{{ read_timestamp(\"cast('2024-01-31' as date)\") }}", datetime(2024, 1, 31)),
    "the_end_of_a_month": ("{{ add_months(\"cast('2024-01-31' as date)\", 1) }}", date(2024, 2, 29)),
    "not_the_end_of_the_next": ("{{ add_months(\"cast('2024-02-29' as date)\", 1) }}", date(2024, 3, 29)),
    "days_back": ("{{ add_days(\"cast('2024-03-01' as date)\", -1) }}", date(2024, 2, 29)),
    "days_between": ("{{ days_between(\"cast('2024-02-28 23:00:00' as timestamp)\", \"cast('2024-03-01' as date)\") }}", 2),
    "calendar_months": ("{{ months_between(\"cast('2024-01-31' as date)\", \"cast('2024-02-01' as date)\") }}", 1),
    "complete_months": ("{{ complete_months(\"cast('2024-01-31' as date)\", \"cast('2024-02-28' as date)\") }}", 0),
    "complete_months_clamped": ("{{ complete_months(\"cast('2025-01-31' as date)\", \"cast('2025-02-28' as date)\") }}", 1),
    "months_of_a_contract": ("{{ contract_months(\"cast('2024-02-29' as date)\", \"cast('2025-02-27' as date)\") }}", 12),
    "the_week": ("{{ first_of_week(\"cast('2024-05-05 13:00:00' as timestamp)\") }}", date(2024, 4, 29)),
    "the_quarter": ("{{ first_of_quarter(\"cast('2024-05-05' as date)\") }}", date(2024, 4, 1)),
    # Numbers.
    "a_digit_separator": ("{{ read_number(\"'1_000'\") }}", None),
    "hexadecimal": ("{{ read_number(\"'0x10'\") }}", None),
    "digits_of_another_script": ("{{ read_number(\"'１２'\") }}", None),
    "an_exponent": ("{{ read_number(\"'1.5e3'\") }}", Decimal("1500.0000")),
    "thousands": ("{{ read_number(\"'1,234.5'\") }}", Decimal("1234.5000")),
    "half_a_unit": ("{{ read_number(\"'-1.00005'\") }}", Decimal("-1.0001")),
    "a_number_with_a_line_break": ("{{ read_number(\"concat('12', chr(10))\") }}", Decimal("12.0000")),
    "thousands_with_a_line_break": ("{{ read_number(\"concat('1,234', chr(10))\") }}", None),
    "a_stored_double": ("{{ read_number('cast(2.5 as double)') }}", Decimal("2.5000")),
    "an_id_in_doubles": ("{{ read_id('cast(12345678 as double)') }}", "12345678"),
    "no_id_without_an_end": ("{{ read_id(\"cast('-Infinity' as double)\") }}", None),
    "no_id_in_doubles": ("{{ read_id(\"cast('NaN' as double)\") }}", None),
    "a_boolean_with_a_blank": ("{{ read_boolean(\"'TRUE '\") }}", True),
    "a_stored_boolean": ("{{ read_boolean('false') }}", False),
    "days_as_months": ("cast(5 as integer) / {{ days_per_month() }}", 5 / 30.4375),
    "rounded_once": ("{{ at_rate('cast(0.0001 as decimal(18, 4))', '0.4999999995') }}", Decimal("0.0000")),
    "at_a_rate": ("{{ at_rate('cast(123456789012.3456 as decimal(18, 4))', '1.2345678901') }}", Decimal("152415787529.4924")),
    "per_month": ("{{ per_month('cast(100.0001 as decimal(18, 4))', '3') }}", Decimal("33.3334")),
    "a_share": ("cast(cast(1 as decimal(18, 4)) as double) / nullif(cast(3 as double), 0)", 1 / 3),
    "a_mean_of_money": (
        "(select avg(cast(x as double)) from (values (cast(1 as decimal(18, 4))), (cast(2.5 as decimal(18, 4))), (0)) as t (x))",
        3.5 / 3,
    ),
    "a_sum_of_money": (
        "(select sum(x) from (select cast(999999999999.9999 as decimal(18, 4)) as x from ({{ numbers(3000) }}) as n) as t)",
        Decimal("2999999999999999.7000"),
    ),
    "no_logarithm_of_nothing": ("ln(nullif(cast(0 as double), 0))", None),
    "an_id_of_sixteen_digits": ("{{ read_id('cast(1e16 as double)') }}", "10000000000000000"),
    "nothing_of_nothing": ("cast(1 as double) / nullif(0, 0)", None),
    "rounded_to_an_integer": ("cast(round(cast(-2.5 as double)) as integer)", -3),
    "the_sign": ("cast(sign(cast(-2.5 as decimal(18, 4))) as integer)", -1),
    "wilson": ("round({{ wilson_low('3', '7') }}, 9)", 0.158219855),
    "drawn_by_a_text": ("{{ uniform(\"concat('a', 1)\") }}", 0.6341404922739845),
    # Texts.
    "a_condition_without_a_value": (
        "(select {{ condition_id() }} from (select 'a' as attribute, 'is_missing' as operator, cast(null as string) as value) as c)",
        "785d8e457ccb8237535592eee321e09f",
    ),
    "a_quote_and_a_backslash": ('{{ text_literal("it\'s \\\\ here") }}', "it's \\ here"),
    "a_pattern_that_escapes": ("{{ is_like(\"'contact_role'\", \"concat('contact', chr(92), '_%')\") }}", True),
    "a_pattern_that_escapes_not": ("{{ is_like(\"'contacts'\", \"concat('contact', chr(92), '_%')\") }}", False),
    "all_of_a_text": ("{{ matches(\"concat('12', chr(10))\", '[0-9]+') }}", False),
    "joined_in_order": ("(select {{ joined_text('x') }} from (values ('b'), ('B'), (null), ('a')) as t (x))", "B + a + b"),
    "joined_without_any": ("(select {{ joined_text('x') }} from (select cast(null as string) as x) as t)", None),
    "a_text_beside_nothing": ("concat('a', coalesce(cast(null as string), ''))", "a"),
    "a_text_between_blanks": ("{{ read_text(\"'\u00a0 a b\u3000'\") }}", "a b"),
    "the_small_letters": ("{{ lower_case(\"'ÉİΑΣ'\") }}", "éiασ"),
    # JSON, rows and lists.
    "a_row_as_text": (
        "(select {{ raw_text('raw') }} from (select {{ whole_row() }} as raw from (select 'a\"b' as x, cast(null as string) as y, cast('2024-01-05 10:00:00' as timestamp) as z,"
        " cast('2024-01-05 10:00:00.25' as timestamp) as v, cast(1.5 as decimal(18, 4)) as w, cast(-20 as decimal(9, 2)) as u, 'v\":1.50,' as t) as t) as r)",
        '{"x":"a\\"b","y":null,"z":"2024-01-05 10:00:00","v":"2024-01-05 10:00:00.25","w":1.5,"u":-20.0,"t":"v\\":1.50,"}',
    ),
    "a_field": ("{{ json_text(\"'{\\\"a\\\": 1.50}'\", 'a') }}", "1.5"),
    "an_item": ("{{ json_item(\"'[null, 3]'\", 1) }}", "3"),
    "an_item_that_is_null": ("{{ json_item(\"'[null, 3]'\", 0) }}", None),
    "each_text": (
        '(select {{ joined_text(\'x\') }} from (select {{ json_texts("\'[\\"b\\", \\"a\\"]\'") }} as x) as t)',
        "a + b",
    ),
    "each_object": (
        '(select max(concat(t.o.a, t.o.b)) from (select {{ json_objects("\'[{\\"a\\": \\"x\\", \\"b\\": 2}]\'", [\'a\', \'b\']) }} as o) as t)',
        "x2",
    ),
    "the_numbers": ("(select cast(sum(generated_number) as integer) from ({{ numbers(2400) }}) as n)", 2881200),
    "each_of_a_list": ("(select cast(sum(x) as integer) from (select {{ each_of(list_of(['1', '2'])) }} as x) as t)", 3),
    "a_struct": ("({{ struct_of([['rule', \"'a'\"], ['column_name', \"'b'\"]]) }}).column_name", "b"),
    "the_newest_with_a_figure": (
        "(select max_by(a, b) filter (where a is not null) from (values (1, 1), (null, 2)) as t (a, b))",
        1,
    ),
    "the_first_by_a_key_that_may_lack": (
        "(select max(a) from (select a, row_number() over (order by b nulls last) as place from (values (1, null), (2, 2)) as t (a, b)) as u where place = 1)",
        2,
    ),
    "no_smallest_of_nulls": ("least(cast(null as integer), 3)", 3),
    "the_month": ("{{ first_of_month(\"cast('2024-05-05 23:59:59' as timestamp)\") }}", date(2024, 5, 1)),
}


@pytest.fixture(scope="module")
def values(asked: Ask) -> dict[str, dict[str, Any]]:
    """What each expression is, by engine."""
    queries = [f"select {expression} as value" for expression, _ in EXPRESSIONS.values()]
    return {
        engine: dict(zip(EXPRESSIONS, (rows[0]["value"] for rows in asked(engine, *queries)), strict=True)) for engine in ENGINES
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_means_the_same(values: dict[str, dict[str, Any]], engine: str, name: str) -> None:
    found, expected = values[engine][name], EXPRESSIONS[name][1]
    assert found == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected)
    assert isinstance(found, float | Decimal) == isinstance(expected, float | Decimal)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sentence_stops_the_model(asked: Ask, engine: str) -> None:
    query = "select {{ stop_with('s') }} as stopped from (values (cast(null as string)), ('so it is')) as t (s)"
    with pytest.raises(Exception, match="so it is"):
        asked(engine, query)


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_keys_share_a_hash(asked: Ask, engine: str) -> None:
    query = "select count(distinct {{ row_hash('x') }}) as hashes from (values ('a'), ('a'), ('b'), (null)) as t (x)"
    assert asked(engine, query) == [[{"hashes": 3}]]


def test_renewals_are_taken_in_the_order_of_preference(asked: Ask) -> None:
    """Random pairs of one account and product, against taking them one by one."""
    chance = random.Random(5)
    pairs = [(f"n{new}", f"o{old}") for new in range(8) for old in range(8) if chance.random() < 0.5]
    chance.shuffle(pairs)
    taken: list[tuple[str, str]] = []
    for new, old in pairs:
        if all(new != other and old != another for other, another in taken):
            taken.append((new, old))
    listed = ", ".join(f"('{new}', '{old}', 'a', 'p', {n}, {n}, false)" for n, (new, old) in enumerate(pairs, 1))
    query = f"""
        with pairs as (
            select * from (values {listed})
            as t (order_line_id, renewed_order_line_id, account_id, product_id, closeness, preference, is_only_choice)
        )
        select * from ({{{{ preferred_pairs('pairs') }}}}) as taken
    """
    for engine in ENGINES:
        assert sorted((row["order_line_id"], row["renewed_order_line_id"]) for row in asked(engine, query)[0]) == sorted(taken), (
            engine
        )
