"""What a check says of one row."""


def unless(good: object, text: str) -> str | None:
    """None if all is well, otherwise the text."""
    return None if good else text
