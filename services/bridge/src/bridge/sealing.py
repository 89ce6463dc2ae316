"""Sealing of password hashes: what passes the bus, and stays in its stream for days, only identity can read."""

from joserfc import jwe
from joserfc.jwk import OctKey

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class Sealer:
    """JWE (RFC 7516) with a shared key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = OctKey.import_key(key)

    def seal(self, secret: str) -> str:
        return jwe.encrypt_compact(_HEADER, secret, self._key)
