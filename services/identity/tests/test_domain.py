"""The rules of throttled logins and of the key ring, without anything round them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from identity.domain import (
    ACTIVATION_DELAY,
    CLOCK_SKEW,
    KEYS_CACHED,
    TOKEN_LIFE,
    Account,
    KeyRing,
    LoginAttempt,
    LoginThrottled,
    NoSigningKey,
    SigningKey,
    Throttle,
)

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
VERIFIERS_REFRESH = timedelta(seconds=300)


def failed(times: int, limit: int = 5) -> tuple[Throttle, datetime]:
    """A throttle after so many failures, each tried as soon as it was allowed, and the time of the last."""
    throttle, now = Throttle(), NOON
    for _ in range(times):
        now = max(now, throttle.blocked_until or now)
        throttle = throttle.attempt(limit, now)
    return throttle, now


def key(kid: str, created_at: datetime, activates_at: datetime | None = None) -> SigningKey:
    return SigningKey(kid, b"public", b"sealed", created_at, activates_at or created_at)


def test_five_attempts_are_free_and_the_sixth_has_to_wait() -> None:
    throttle, now = failed(5)
    with pytest.raises(LoginThrottled) as refusal:
        throttle.attempt(5, now)
    assert refusal.value.retry_after == SECOND


def test_each_further_failure_doubles_the_wait_up_to_five_minutes() -> None:
    waits = []
    for times in range(5, 16):
        throttle, now = failed(times)
        assert throttle.blocked_until is not None
        waits.append((throttle.blocked_until - now).total_seconds())
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_failures_are_forgotten_after_a_quiet_quarter_of_an_hour() -> None:
    throttle, now = failed(9)
    later = throttle.attempt(5, now + timedelta(minutes=15) + SECOND)
    assert (later.failures, later.blocked_until) == (1, None)


def test_a_forgiven_attempt_lifts_the_block_that_it_alone_caused() -> None:
    throttle, now = failed(5)
    throttle.forgive(5).attempt(5, now)


def test_a_forgiven_attempt_leaves_the_block_that_others_caused() -> None:
    throttle, now = failed(7)
    with pytest.raises(LoginThrottled):
        throttle.forgive(5).attempt(5, now)


def test_a_counted_account_cannot_be_read_from_what_it_is_counted_under() -> None:
    attempt = LoginAttempt.of("a password typed into the wrong field", "192.0.2.1")
    assert "password" not in attempt.account


def test_an_account_does_not_show_its_hash() -> None:
    account = Account(UUID(int=1), "a@b.example", "A", "$argon2id$secret", 1_000_001)
    assert "argon2id" not in repr(account)


def test_without_a_key_nothing_can_be_signed() -> None:
    with pytest.raises(NoSigningKey):
        KeyRing().signing(NOON)


def test_the_first_key_signs_at_once_and_a_later_one_when_every_verifier_has_looked() -> None:
    assert KeyRing().next_activation(NOON) == NOON
    assert KeyRing((key("a", NOON),)).next_activation(NOON) == NOON + ACTIVATION_DELAY
    assert ACTIVATION_DELAY >= VERIFIERS_REFRESH + KEYS_CACHED


def test_a_new_key_is_published_before_it_signs() -> None:
    ring = KeyRing((key("old", NOON - timedelta(days=30)), key("new", NOON, NOON + ACTIVATION_DELAY)))
    assert [each.kid for each in ring.published(NOON)] == ["old", "new"]
    assert ring.signing(NOON).kid == "old"
    assert ring.signing(NOON + ACTIVATION_DELAY).kid == "new"


def test_the_previous_key_stays_until_the_next_rotation() -> None:
    ring = KeyRing((key("old", NOON), key("new", NOON + SECOND)))
    assert [each.kid for each in ring.published(NOON + timedelta(days=29))] == ["old", "new"]


def test_a_replaced_key_stays_until_its_last_token_has_expired() -> None:
    ring = KeyRing((key("a", NOON), key("b", NOON + SECOND), key("c", NOON + 2 * SECOND)))
    last_expiry = NOON + SECOND + TOKEN_LIFE + CLOCK_SKEW
    assert [each.kid for each in ring.retired(last_expiry - SECOND)] == []
    assert [each.kid for each in ring.retired(last_expiry)] == ["a"]


def test_a_key_that_still_signs_is_never_retired_however_many_wait() -> None:
    waiting = [key(kid, NOON, NOON + ACTIVATION_DELAY) for kid in ("b", "c", "d")]
    ring = KeyRing((key("a", NOON - timedelta(days=1)), *waiting))
    assert ring.signing(NOON) in ring.published(NOON)


def test_a_rotation_is_due_at_the_age_of_the_newest_key() -> None:
    ring = KeyRing((key("old", NOON - timedelta(days=90)), key("new", NOON)))
    assert not ring.due(timedelta(days=30), NOON + timedelta(days=29))
    assert ring.due(timedelta(days=30), NOON + timedelta(days=30))
    assert KeyRing().due(timedelta(days=30), NOON)
