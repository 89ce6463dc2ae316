"""Settings of the facade."""

from typing import Annotated

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from chassis.settings import DatabaseSettings, ServiceSettings, TokenSettings

Url = Annotated[str, Field(pattern=r"^https?://")]


class Settings(ServiceSettings, DatabaseSettings, TokenSettings):
    """From the environment and mounted secrets."""

    service_name: str = "facade"
    legacy_url: Url
    catalog_url: Url
    inventory_url: Url
    orders_url: Url
    identity_url: Url
    bridge_url: Url
    legacy_ca: str | None = Field(default=None, description="a file: who signs the certificate of an https LEGACY_URL")
    legacy_certificate: str | None = Field(default=None, description="a file: whom the facade shows itself as there")
    legacy_key: str | None = Field(
        default=None, validate_default=True, description="a file: the key of that certificate"
    )
    session_key: SecretStr = Field(description="the old shop's: both sides read and write one session cookie")
    exchange_key: SecretStr = Field(description="identity's: for a token of a customer whom a session names")
    bridge_key: SecretStr = Field(description="bridge's: to ask for its lag, and to wait until it is drained")

    @field_validator("legacy_key")
    @classmethod
    def _all_or_none(cls, key: str | None, others: ValidationInfo) -> str | None:
        together = {key is None, *(others.data.get(name) is None for name in ("legacy_ca", "legacy_certificate"))}
        if len(together) > 1:
            raise ValueError("goes with LEGACY_CA and LEGACY_CERTIFICATE: set all three or none")
        return key
