"""Text as it is searched: words without case, accents and punctuation; or as it stands, for the old shop's search."""

import re
import unicodedata

# Accents are taken off here rather than in PostgreSQL, where it would take an extension; and a title and a query cannot
# disagree about what a word is.
_MARKS = re.compile("[\u0300-\u036f]")
_WORD = re.compile(r"[^\W_]+")
_WILDCARD = re.compile(r"[\\%_]")


def words(text: str) -> list[str]:
    """Words as they are searched and sorted: `Les Misérables!` is `["les", "miserables"]`."""
    return _WORD.findall(_MARKS.sub("", unicodedata.normalize("NFKD", text)).lower())


def tsquery(text: str) -> str:
    """For `to_tsquery`: every word of `text` begins some word of the book. Quoted, so that no input is an operator."""
    return " & ".join(f"'{word}':*" for word in words(text))


def containing(text: str) -> str:
    """For `ILIKE`: `text` anywhere. Its own wildcards stand for themselves."""
    return "%" + _WILDCARD.sub(r"\\\g<0>", text) + "%"
