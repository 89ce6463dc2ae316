"""Settings that are wrong are refused before anything starts, without repeating the secret."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from identity.settings import Settings, key_bytes


@dataclass(frozen=True)
class Anywhere:
    url: str = "postgresql://identity@127.0.0.1/identity"
    password: str = "x"


@pytest.mark.parametrize("key", ["QkJC", "not base64 at all", ""])
def test_a_key_encryption_key_that_is_not_32_bytes_is_refused(make_settings: Callable[..., Any], key: str) -> None:
    with pytest.raises(ValidationError, match="32 bytes in base64"):
        make_settings(Anywhere(), key_encryption_key=key)


def test_both_alphabets_of_base64_spell_the_same_key(make_settings: Callable[..., Settings]) -> None:
    standard = make_settings(Anywhere(), key_encryption_key="+/" * 21 + "8=")
    for_urls = make_settings(Anywhere(), key_encryption_key="-_" * 21 + "8=")
    assert key_bytes(standard.key_encryption_key) == key_bytes(for_urls.key_encryption_key)


def test_a_key_may_lack_its_padding(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(Anywhere(), hash_key="-_" * 21 + "8")
    assert len(key_bytes(settings.hash_key)) == 32


def test_a_short_exchange_key_is_refused(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(ValidationError, match="exchange_key"):
        make_settings(Anywhere(), exchange_key="guess me")


def test_secrets_do_not_show(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(Anywhere())
    assert settings.operator_password.get_secret_value() not in repr(settings)
    assert settings.key_encryption_key.get_secret_value() not in repr(settings)
