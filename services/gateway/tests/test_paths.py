"""Raw targets: what two parsers could read differently is refused, the rest is not touched."""

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.paths import TargetRefused, check


@pytest.mark.parametrize(
    "raw",
    [
        b"/api/catalog/books",
        b"/api/catalog/books/",
        b"/api/catalog/books?q=war%20and%20peace&limit=5",
        b"/api/catalog/books?q=it's",
        b"/api/catalog/caf%C3%A9",
        b"/api/catalog/.well-known",
        b"/api/catalog/a..b",
        b"/api/catalog/...",
        b"/",
    ],
)
def test_an_ordinary_target_passes_unchanged(raw: bytes) -> None:
    assert check(raw).raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"/api/catalog/../identity/keys",
        b"/api/catalog/..",
        b"/api/catalog/./books",
        b"/api/catalog/.",
        b"/api/catalog/%2e%2e/identity/keys",
        b"/api/catalog/%2E%2E/identity/keys",
        b"/api/catalog/.%2e/identity/keys",
        b"/api/catalog/..;/identity",
        b"/api//catalog",
        b"//api/catalog",
        b"/api/catalog//",
        b"/api%2fcatalog",
        b"/api%2Fcatalog",
        b"/api/catalog/..%5cidentity",
        b"/api/catalog/..%5Cidentity",
        b"/api/catalog\\..\\identity",
        b"/api/catalog/%00",
        b"/api/catalog/\x00",
        b"/api/catalog/%0d%0aX:1",
        b"/api/catalog/%7f",
        b"/api/catalog/%252e%252e/identity",
        b"/api/catalog/%c0%ae%c0%ae/identity",
        b"/api/catalog/%",
        b"/api/catalog/%zz",
        b"/api/catalog/caf\xe9",
        b"/api/catalog/a b",
        b"/api/catalog#fragment",
        b"/api/catalog?q=%00",
        b"/api/catalog?q=a#b",
        b"/api/catalog\n",
        b"http://elsewhere/api/catalog",
        b"api/catalog",
        b"*",
        b"",
        b"/" + b"a" * 9000,
    ],
)
def test_a_target_that_parsers_may_read_differently_is_refused(raw: bytes) -> None:
    with pytest.raises(TargetRefused):
        check(raw)


@given(
    st.lists(
        st.sampled_from(
            [b"/", b".", b"..", b"%2e", b"%2F", b"%5c", b"\\", b"%25", b"a", b"api", b";", b"%00", b"%c0%af"]
        )
    )
)
def test_what_passes_has_the_same_segments_however_often_it_is_decoded(parts: list[bytes]) -> None:
    raw = b"/" + b"".join(parts)
    try:
        path = check(raw).path
    except TargetRefused:
        return
    segments = path.split(b"/")
    for _ in range(3):
        path = unquote_to_bytes(path)
        assert len(re.split(rb"[/\\]", path)) == len(segments)
        assert not {b".", b".."} & {segment.split(b";")[0] for segment in path.split(b"/")}
