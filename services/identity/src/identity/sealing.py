"""Opens what bridge has sealed: the old shop's password hashes, which lie in the bus for days and are fast to guess."""

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

_ALGORITHMS = ["dir", "A256GCM"]


class SealBroken(Exception):
    """Sealed with another HASH_KEY, or tampered with."""


class Unsealer:
    """JWE (RFC 7516) with a shared key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = OctKey.import_key(key)

    def open(self, sealed: str) -> str:
        """Raises `SealBroken`."""
        try:
            opened = jwe.decrypt_compact(sealed, self._key, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            raise SealBroken("The password hash cannot be opened with this HASH_KEY") from None
        return (opened.plaintext or b"").decode()
