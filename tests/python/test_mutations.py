"""What is written down in `tests/mutations.yml` can be tried: the tests exist, and each change finds its place."""

import re

import pytest

from mutations import LISTED, ROOT, Mutation, files_of_tests, listed

MUTATIONS, TESTS = listed(), files_of_tests()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.file}: {mutation.replace[:40]}")
def test_a_change_finds_its_place_and_its_tests(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.find) == 1
    assert mutation.find != mutation.replace
    assert mutation.fails
    assert set(mutation.fails) <= TESTS.keys()


def test_each_file_has_one_place_in_the_list() -> None:
    """Of two places YAML would keep the last, in silence."""
    assert len(MUTATIONS) == len(re.findall("(?m)^  - find:", LISTED.read_text(encoding="utf-8")))
