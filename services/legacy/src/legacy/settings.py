"""Settings: the environment, and one file a secret in `SECRETS_DIR`. Tells all that is wrong, and exits with 2."""

import os
import sys
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

PACKAGED_PRODUCTS = Path(__file__).with_name("products.csv")


@dataclass(frozen=True)
class DatabaseSettings:
    """All that the installation needs."""

    database_url: str
    database_password: str = field(repr=False)
    products_csv: Path = PACKAGED_PRODUCTS


@dataclass(frozen=True)
class Settings:
    """All that the shop needs. `psp_timeout` and `grace_seconds` are in seconds."""

    port: int
    database_url: str
    database_password: str = field(repr=False)
    psp_url: str
    psp_api_key: str = field(repr=False)
    session_key: str = field(repr=False)
    host: str = "127.0.0.1"
    psp_timeout: float = 5.0
    grace_seconds: float = 20.0


S = TypeVar("S", Settings, DatabaseSettings)


def load(cls: type[S]) -> S:
    """Read `cls`; an empty value is none."""
    values: dict[str, Any] = {}
    wrong = []
    for each in fields(cls):
        text = _find(each.name)
        if text:
            try:
                values[each.name] = each.type(text) if callable(each.type) else text
            except ValueError:
                wrong.append(f"{each.name.upper()}: not a number")
        elif each.default is MISSING:
            wrong.append(f"{each.name.upper()}: missing; set it in the environment or as a file in SECRETS_DIR")
    if wrong:
        sys.stderr.write("settings are incomplete or wrong:\n" + "".join(f"  {line}\n" for line in wrong))
        raise SystemExit(2)
    return cls(**values)


def _find(name: str) -> str:
    folder = os.environ.get("SECRETS_DIR")
    file = Path(folder, name) if folder else None
    return os.environ.get(name.upper()) or (file.read_text().strip() if file and file.is_file() else "")
