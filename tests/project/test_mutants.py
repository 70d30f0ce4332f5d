"""The command that plants mutants: each file has tests of its own, and each mutant is another program in one place."""

from __future__ import annotations

import pytest

pytest.importorskip("resource", reason="is about POSIX")

from ..mutants import EQUIVALENT, ROOT, found_again, is_other, mutants, own_tests

FILES = [
    str(path.relative_to(ROOT))
    for room in ("testing", "graphs")
    for path in sorted((ROOT / room).rglob("*.py"))
    if path.name != "__init__.py"
]


@pytest.mark.parametrize("path", FILES)
def test_every_file_has_tests_of_its_own(path):
    assert all((ROOT / test).is_file() for test in own_tests(path))


@pytest.mark.parametrize("path", EQUIVALENT)
def test_what_is_said_to_be_equivalent_is_one_mutant_each(path):
    found = [mutant.why_equivalent for mutant in mutants(path) if mutant.why_equivalent]
    assert sorted(found) == sorted(EQUIVALENT[path].values())


def test_what_is_planted():
    found = [mutant for mutant in mutants("testing/assertions.py") if is_other(mutant)]
    assert len(found) > 30 and len({(mutant.start, mutant.text) for mutant in found}) == len(found)
    kinds = {mutant.before: mutant.text for mutant in found}
    assert kinds["len(x) == 2"] == "(len(x) != 2)" and kinds["2"] == "3"
    for mutant in found:
        source = (ROOT / mutant.path).read_text(encoding="utf-8")
        assert source[mutant.start : mutant.end] == mutant.before
        assert "raise " not in mutant.before and '"""' not in mutant.before


def test_a_mutant_is_found_again_where_its_file_has_other_lines():
    every = mutants("testing/assertions.py")
    for mutant in every:
        assert str(found_again(str(mutant), every)[0]) == str(mutant)
        path, line, change = str(mutant).split(":", 2)
        (found,) = found_again(f"  {path}:{int(line) + 1000}:{change}", every)
        assert (found.before, found.text) == (mutant.before, mutant.text)
    assert found_again("testing/assertions.py:1: a  ->  b", every) == []
