"""Settings of identity. It issues tokens, so it needs no address to fetch the keys from."""

from base64 import b64decode
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from chassis.settings import DatabaseSettings, IssuerSettings, ServiceSettings


def key_bytes(secret: SecretStr) -> bytes:
    """The 32 bytes that the secret spells in base64, of either alphabet."""
    text = secret.get_secret_value().strip()
    return b64decode(text.replace("-", "+").replace("_", "/"), validate=True)


def _key_of_32_bytes(secret: SecretStr) -> SecretStr:
    try:
        length = len(key_bytes(secret))
    except ValueError:
        length = 0
    if length != 32:
        raise ValueError("must be 32 bytes in base64, as `openssl rand -base64 32` prints them")
    return secret


class Settings(ServiceSettings, DatabaseSettings, IssuerSettings):
    """What the process reads from its environment."""

    service_name: str = "identity"
    key_encryption_key: Annotated[SecretStr, AfterValidator(_key_of_32_bytes)] = Field(
        description="seals the signing keys in the database: base64 of 32 bytes"
    )
    rotate_after: timedelta = Field(
        default=timedelta(days=30), ge=timedelta(hours=1), description="age of the newest signing key (P30D)"
    )
    operator_email: str = Field(pattern=r"^[!-?A-~]+@[!-?A-~]+$", description="the operator that is made at the start")
    operator_password: Annotated[SecretStr, Field(min_length=10, max_length=128)]
