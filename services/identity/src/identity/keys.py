"""Signing keys and their vault: Ed25519, JWT (RFC 9068), and AES-GCM for what the database must not be able to tell."""

import hmac
import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.jwk import OKPKey

from chassis.auth import ALGORITHM, TOKEN_TYPE
from identity.domain import SigningKey, SigningKeySealed

_NONCE = 12


class Vault:
    """One key of 32 bytes, from which one for each purpose is derived."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_derived(key, b"banyan identity: signing keys"))
        self._mac_key = _derived(key, b"banyan identity: fingerprints")

    def seal(self, secret: bytes, label: str) -> bytes:
        """Nonce and ciphertext. The label is not stored: a secret opens under its own only."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret, label.encode())

    def open(self, sealed: bytes, label: str) -> bytes:
        """Raises `SigningKeySealed`."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], label.encode())
        except InvalidTag:
            raise SigningKeySealed("The signing key cannot be opened with this KEY_ENCRYPTION_KEY") from None

    def fingerprint(self, content: bytes) -> bytes:
        """Equal for equal content, and without the key no way to try guesses at a password in it."""
        return hmac.digest(self._mac_key, content, "sha256")


class JwtSigner:
    """Makes keys, and tokens with them. A private key exists in the clear only while one of these calls runs."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def new_key(self, created_at: datetime, activates_at: datetime) -> SigningKey:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        kid = OKPKey.import_key(_jwk(public)).thumbprint()
        return SigningKey(kid, public, self._vault.seal(private.private_bytes_raw(), kid), created_at, activates_at)

    def sign(self, key: SigningKey, claims: Mapping[str, Any]) -> str:
        """A compact JWS. Raises `SigningKeySealed`."""
        private = _jwk(key.public) | {"d": _encoded(self._vault.open(key.sealed, key.kid))}
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": key.kid}
        return jwt.encode(header, dict(claims), OKPKey.import_key(private), algorithms=[ALGORITHM])

    def public(self, key: SigningKey) -> dict[str, Any]:
        """The public half as a JWK."""
        return _jwk(key.public) | {"kid": key.kid, "use": "sig", "alg": ALGORITHM}


def _jwk(public: bytes) -> dict[str, Any]:
    return {"kty": "OKP", "crv": "Ed25519", "x": _encoded(public)}


def _encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=purpose).derive(key)
