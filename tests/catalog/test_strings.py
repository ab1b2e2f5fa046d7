from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec.catalog.artifact import Artifact, Kind, writing
from genrec.catalog.strings import SortedStrings

KIND = Kind("test", 1, "make it again")
TEXTS = st.text(st.characters(), max_size=6)  # lone surrogates included


@given(st.sets(TEXTS, max_size=30), TEXTS)
def test_it_is_a_sorted_list_with_a_search(strings: set[str], other: str) -> None:
    held, expected = SortedStrings.of(strings), sorted(strings)
    assert list(held) == held[:] == expected and len(held) == len(expected)
    assert [held[row] for row in range(-len(held), len(held))] == expected * 2
    assert [held.find(string) for string in expected] == list(range(len(expected)))
    assert all(string in held for string in expected)
    assert held.find(other) == (expected.index(other) if other in strings else -1)
    assert held.place(other) == sum(string < other for string in expected)
    assert held.many(np.arange(len(held))[::-1]) == expected[::-1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(strings=st.sets(TEXTS, max_size=10))
def test_saved_and_opened_is_the_same(strings: set[str], tmp_path: Path) -> None:
    with writing(tmp_path / "artifact", KIND) as draft:
        SortedStrings.of(strings).save(draft.folder, "names")
    assert list(SortedStrings.open(Artifact.open(tmp_path / "artifact", KIND), "names")) == sorted(strings)


def test_a_row_beyond_the_end_and_a_string_given_twice() -> None:
    with pytest.raises(IndexError, match="row 2 of 2 strings"):
        SortedStrings.of("ab")[2]
    with pytest.raises(ValueError, match="'a' is given twice"):
        SortedStrings.of("aba")
    assert 3 not in SortedStrings.of("ab")
