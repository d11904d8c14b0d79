r"""E-mail addresses in texts that leave, also in odd forms: `a @ b.com`, `a%40b.com`, `a (at) b.com`, `a at b dot com`,
full-width signs, and with characters in between that nobody sees.

The patterns are of RE2, as DuckDB reads them. `\p{Cf}` are the characters without a width.
"""

BLANK = r"([\s\p{Z}\p{Cf}\x{2800}\x{3164}]|&nbsp;)"


def _coded(number: str) -> str:
    """A sign by its number in hexadecimal, as URLs, mails, HTML and JSON write it."""
    decimal = int(number, 16)
    return rf"%(25)*{number}|={number}|&#0*{decimal};?|&#x0*{number};?|\\u00{number}"


def _in_brackets(*words: str) -> str:
    return rf"[(\[{{<«]{BLANK}*({'|'.join(words)}){BLANK}*[)\]}}>»]"


AT = rf"([@\x{{FF20}}\x{{FE6B}}]+|{_coded('40')}|&commat;|{_in_brackets('at', 'ät', '@')})"
DOT_WORD = _in_brackets("dot", "punkt", "punto", "point", "[.]")
DOT = rf"([.\x{{FF0E}}\x{{3002}}\x{{FF61}}\x{{2024}}\x{{FE52}}]|{_coded('2e')}|&period;|{DOT_WORD})"
AROUND = rf"{BLANK}{{0,8}}"
LETTER = r"\p{L}\p{M}\p{N}\p{Cf}"
# A quote belongs to it only where both do: the texts of lists (JSON) stay lists.
LOCAL = rf"""("[^"@]{{1,64}}"|[{LETTER}'.\x{{FF0E}}!#$%&*+/=?^_`{{|}}~-]+(<[^<>@]{{0,20}}>|[)\]])*)"""
# A name with an ending that begins with a letter, as no number does; or the address of a machine.
MACHINE = r"\[(ipv6:)?[0-9a-f.:]+\]|[0-9]{1,3}(\.[0-9]{1,3}){3}"
DOMAIN = rf"([{LETTER}_-]+({DOT}[{LETTER}_-]+)*{DOT}\p{{L}}[{LETTER}-]+|{MACHINE})"
IN_WORDS = r"[\p{L}\p{N}._-]+ +at +[\p{L}\p{N}_-]+( +dot +[\p{L}\p{N}_-]+)+"
ADDRESS = rf"(?i){LOCAL}{AROUND}{AT}{AROUND}{DOMAIN}|{IN_WORDS}"
SIGN = rf"(?i){AT}| at "  # in each text with an address


def without_emails(column: str) -> str:
    """SQL for a text, e-mail addresses in it replaced by a hash of the whole text: equal texts stay equal, keys stay keys."""
    masked = f"regexp_replace({column}, {_text(ADDRESS)}, '(e-mail ' || left(sha256({column}), 16) || ')', 'g')"
    return f"case when regexp_matches({column}, {_text(SIGN)}) then {masked} else {column} end"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
