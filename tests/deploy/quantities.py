"""Quantities as Kubernetes writes them, as numbers."""

import re
from decimal import Decimal

_UNITS: dict[str, Decimal] = {"": Decimal(1), "m": Decimal("0.001"), "k": Decimal(1000)}
_UNITS |= {letter: Decimal(1000) ** power for power, letter in enumerate("MGT", start=2)}
_UNITS |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGT", start=1)}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]*)")


def number_of(quantity: str | float) -> Decimal:
    """`250m`, `192Mi`, `2`: how much that is."""
    match = _QUANTITY.fullmatch(str(quantity))
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"not a quantity: {quantity}")
    return Decimal(match[1]) * _UNITS[match[2]]
