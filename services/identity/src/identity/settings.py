"""Settings of identity. It issues tokens, so it needs no address to fetch the keys from."""

from base64 import b64decode
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from chassis.settings import BusSettings, DatabaseSettings, IssuerSettings, ServiceSettings


def key_bytes(secret: SecretStr) -> bytes:
    """The 32 bytes that the secret spells in base64, of either alphabet, padded or not."""
    text = secret.get_secret_value().strip().rstrip("=")
    return b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)


def _key_of_32_bytes(secret: SecretStr) -> SecretStr:
    try:
        length = len(key_bytes(secret))
    except ValueError:
        length = 0
    if length != 32:
        raise ValueError("must be 32 bytes in base64, as `openssl rand -base64 32` prints them")
    return secret


Key = Annotated[SecretStr, AfterValidator(_key_of_32_bytes)]


class Settings(ServiceSettings, DatabaseSettings, BusSettings, IssuerSettings):
    """What the process reads from its environment."""

    service_name: str = "identity"
    key_encryption_key: Key = Field(description="seals the signing keys in the database: base64 of 32 bytes")
    hash_key: Key = Field(description="opens the password hashes that bridge has sealed: base64 of 32 bytes")
    exchange_key: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        default=None, description="shared with facade; unset: there is no exchange of the old shop's sessions"
    )
    rotate_after: timedelta = Field(
        default=timedelta(days=30), ge=timedelta(hours=1), description="age of the newest signing key (P30D)"
    )
    operator_email: str = Field(pattern=r"^[!-?A-~]+@[!-?A-~]+$", description="the operator that is made at the start")
    operator_password: Annotated[SecretStr, Field(min_length=10, max_length=128)]
