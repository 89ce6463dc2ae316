"""A cursor comes back as the place that it was made of, or is refused."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import cursors
from chassis.errors import ProblemError

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(scope=TEXT, number=st.integers(-(2**63), 2**63 - 1), text=TEXT)
def test_a_place_survives_the_way_to_the_client_and_back(scope: str, number: int, text: str) -> None:
    assert cursors.decode(scope, cursors.encode(scope, number, text), int, str) == (number, text)


@given(TEXT)
def test_whatever_was_not_made_here_is_refused(forged: str) -> None:
    with pytest.raises(ProblemError):
        cursors.decode("books", forged, int, str)


def test_a_place_in_one_list_is_none_in_another() -> None:
    with pytest.raises(ProblemError):
        cursors.decode("by author", cursors.encode("by title", "Emma"), str)


@pytest.mark.parametrize("place", ['[%d,"1","x"]', "[%d,1]", "[%d,true,1]", '[%d,1,"\\u0000"]', '[%d,9e99,"x"]', "%d"])
def test_a_forged_place_of_another_shape_is_refused(place: str) -> None:
    mark = zlib.crc32(b"books")
    forged = base64.urlsafe_b64encode((place % mark).encode()).decode()
    with pytest.raises(ProblemError):
        cursors.decode("books", forged, int, str)
