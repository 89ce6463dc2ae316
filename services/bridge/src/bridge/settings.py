"""Settings of bridge."""

import base64
import binascii

from pydantic import Field, SecretStr, field_validator

from chassis.settings import BusSettings, DatabaseSettings, ServiceSettings

KEY_BYTES = 32


class Settings(ServiceSettings, DatabaseSettings, BusSettings):
    """Read once at start; the database is the old shop's, under a role of bridge's own."""

    service_name: str = "bridge"
    bridge_key: SecretStr = Field(min_length=16, description="what callers of /api/bridge are known by")
    hash_key: SecretStr = Field(description="32 bytes in base64url, shared with identity: seals password hashes")

    snapshot_chunk: int = Field(default=1000, ge=1, le=10_000, description="rows that the snapshot reads at once")

    @field_validator("hash_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr) -> SecretStr:
        decode_key(key)
        return key


def decode_key(key: SecretStr) -> bytes:
    """The bytes of a key in base64url, with or without padding; raises ValueError unless there are 32."""
    text = key.get_secret_value()
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None
    if len(decoded) != KEY_BYTES:
        raise ValueError(f"{KEY_BYTES} bytes are needed")
    return decoded
