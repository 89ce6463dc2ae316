"""The vault and the signer."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from identity.domain import SigningKeySealed
from identity.keys import JwtSigner, Vault

NOW = datetime(2026, 7, 1, tzinfo=UTC)
VAULT, OTHER = Vault(b"B" * 32), Vault(b"C" * 32)


def test_a_private_key_is_stored_sealed_and_opens_again() -> None:
    key = JwtSigner(VAULT).new_key(NOW, NOW)
    private = VAULT.open(key.sealed, key.kid)
    assert Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw() == key.public
    assert private not in key.sealed


def test_another_key_encryption_key_does_not_open_it() -> None:
    key = JwtSigner(VAULT).new_key(NOW, NOW)
    with pytest.raises(SigningKeySealed):
        JwtSigner(OTHER).sign(key, {"sub": "somebody"})


def test_a_sealed_key_moved_under_another_name_does_not_open() -> None:
    one, two = JwtSigner(VAULT).new_key(NOW, NOW), JwtSigner(VAULT).new_key(NOW, NOW)
    with pytest.raises(SigningKeySealed):
        VAULT.open(one.sealed, two.kid)


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert VAULT.seal(b"secret", "label") != VAULT.seal(b"secret", "label")


def test_the_public_half_holds_nothing_private() -> None:
    signer = JwtSigner(VAULT)
    assert set(signer.public(signer.new_key(NOW, NOW))) == {"kty", "crv", "x", "kid", "use", "alg"}


def test_a_key_does_not_show_its_sealed_half() -> None:
    assert "sealed" not in repr(JwtSigner(VAULT).new_key(NOW, NOW))


def test_a_fingerprint_cannot_be_made_without_the_key() -> None:
    assert VAULT.fingerprint(b"guess") == VAULT.fingerprint(b"guess")
    assert VAULT.fingerprint(b"guess") != OTHER.fingerprint(b"guess")
