"""Entity tags are compared as RFC 9110 says: strongly to change something, weakly to save a transfer."""

import pytest

from chassis import conditional
from chassis.errors import ProblemError


@pytest.mark.parametrize("header", ['"7"', 'W/"7"', '"6", "7"', '"x",W/"7"', "*"])
def test_a_caller_who_holds_the_version_gets_no_body(header: str) -> None:
    assert conditional.not_modified(header, 7)


@pytest.mark.parametrize("header", ['"8"', "7", "", '"7', '"07"', '"٧"'])
def test_a_caller_who_holds_another_version_gets_the_body(header: str) -> None:
    assert not conditional.not_modified(header, 7)


@pytest.mark.parametrize(
    ("header", "admitted"),
    [('"7"', {7}), ('"6", "7"', {6, 7}), ('W/"7"', set()), ("7", set()), ('"x"', set()), ('"²"', set()), ("*", None)],
)
def test_a_writer_names_the_versions_that_he_has_seen(header: str, admitted: set[int] | None) -> None:
    assert conditional.versions(header) == admitted


def test_a_writer_who_names_no_version_is_asked_to() -> None:
    with pytest.raises(ProblemError) as refused:
        conditional.versions(None)
    assert refused.value.problem.status == 428


def test_a_put_creates_or_replaces_but_never_either() -> None:
    assert conditional.creates(None, "*")
    assert not conditional.creates('"1"', None)
    for if_match, if_none_match in (('"1"', "*"), (None, '"1"')):
        with pytest.raises(ProblemError) as refused:
            conditional.creates(if_match, if_none_match)
        assert refused.value.problem.status == 400
