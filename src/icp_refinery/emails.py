r"""E-mail addresses in texts that leave, also in odd forms: `a @ b.com`, `a%40b.com`, `a (at) b.com`, full-width signs, and with
characters in between that nobody sees.

The patterns are of RE2, as DuckDB reads them. `\p{Cf}` are the characters without a width.
"""

AT = r"(@|\x{FF20}|\x{FE6B}|%40|&#0*64;|&#x0*40;|&commat;|[(\[{][\s\p{Z}\p{Cf}]*at[\s\p{Z}\p{Cf}]*[)\]}])"
DOT = r"(\.|\x{FF0E}|\x{3002}|\x{FF61}|%2e|&#0*46;|[(\[{][\s\p{Z}\p{Cf}]*dot[\s\p{Z}\p{Cf}]*[)\]}])"
AROUND = r"[\s\p{Z}\p{Cf}]{0,3}"
LETTER = r"\p{L}\p{M}\p{N}\p{Cf}"
LOCAL = rf"""("[^"@]{{1,64}}"|[{LETTER}"'.\x{{FF0E}}!#$%&*+/=?^_`{{|}}~-]+)"""
# A name with an ending that begins with a letter, as no number does; or the address of a machine.
DOMAIN = rf"([{LETTER}_-]+({DOT}[{LETTER}_-]+)*{DOT}\p{{L}}[{LETTER}-]+|\[[0-9a-f.:]+\]|[0-9]{{1,3}}(\.[0-9]{{1,3}}){{3}})"
ADDRESS = rf"(?i){LOCAL}{AROUND}{AT}{AROUND}{DOMAIN}"


def without_emails(column: str) -> str:
    """SQL for a text, e-mail addresses in it replaced by a hash of the whole text: equal texts stay equal, keys stay keys."""
    masked = f"regexp_replace({column}, {_text(ADDRESS)}, '(e-mail ' || left(sha256({column}), 16) || ')', 'g')"
    return f"case when regexp_matches({column}, {_text(f'(?i){AT}')}) then {masked} else {column} end"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
