"""Password hashes: right, equally slow for everybody, and never more than two at once."""

import asyncio
import hashlib
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from identity.domain import PasswordsBusy
from identity.passwords import Argon2Passwords, owasp

LIMIT = 10.0


@dataclass
class Gate:
    """Counts who is inside, and holds them until it is opened."""

    inside: int = 0
    most: int = 0
    open: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def pass_through(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.open.wait(LIMIT)
        with self.lock:
            self.inside -= 1

    async def until_inside(self, count: int) -> None:
        async with asyncio.timeout(LIMIT):
            while self.inside < count:
                await asyncio.sleep(0)


class GatedHasher(Argon2Hasher):
    """Real but small hashes, behind a gate once it is set."""

    gate: Gate | None = None

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        if self.gate is not None:
            self.gate.pass_through()
        return super().hash(password, salt=salt)


class RecordingHasher(Argon2Hasher):
    """Real hashes with OWASP's parameters, remembering what was verified."""

    def __init__(self) -> None:
        super().__init__(memory_cost=19 * 1024, time_cost=2, parallelism=1)
        self.verified: list[str] = []

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        self.verified.append(str(hash))
        return super().verify(password, hash)


def gated(longest_wait: float) -> tuple[Argon2Passwords, Gate]:
    hasher = GatedHasher(time_cost=1, memory_cost=64, parallelism=1)
    passwords = Argon2Passwords(hasher, longest_wait)
    hasher.gate = Gate()
    return passwords, hasher.gate


async def test_a_right_password_is_told_from_a_wrong_one() -> None:
    passwords = Argon2Passwords()
    known = await passwords.hash("correct horse")
    assert await passwords.verify("correct horse", known) == (True, None)
    assert await passwords.verify("battery staple", known) == (False, None)


async def test_a_password_is_the_same_however_its_umlaut_was_typed() -> None:
    passwords = Argon2Passwords()
    assert (await passwords.verify("Ko\u0308nigsweg", await passwords.hash("K\u00f6nigsweg")))[0]


async def test_hashes_have_the_parameters_that_owasp_names() -> None:
    assert (await Argon2Passwords().hash("x")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_without_an_account_the_answer_is_wrong_even_for_the_stand_in_password() -> None:
    passwords = Argon2Passwords()
    assert not (await passwords.verify("the password of an account that does not exist", None))[0]


async def test_without_an_account_a_full_hash_is_computed_all_the_same() -> None:
    hasher = RecordingHasher()
    passwords = Argon2Passwords(hasher)
    await passwords.verify("guess", None)
    await passwords.verify("guess", owasp().hash("other"))
    unknown, known = hasher.verified
    assert unknown.rsplit("$", 2)[0] == known.rsplit("$", 2)[0]


async def test_a_hash_with_older_parameters_is_to_be_replaced() -> None:
    old = Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse")
    right, better = await Argon2Passwords().verify("correct horse", old)
    assert right
    assert better is not None
    assert "m=19456,t=2,p=1" in better


KNOWN_THERE = "legacy-sha1$0badcafe$" + hashlib.sha1(b"0badcafecorrect horse").hexdigest()  # noqa: S324


async def test_a_hash_of_the_old_shop_is_verified_and_to_be_replaced() -> None:
    passwords = Argon2Passwords()
    right, better = await passwords.verify("correct horse", KNOWN_THERE)
    assert right
    assert better is not None
    assert await passwords.verify("correct horse", better) == (True, None)


async def test_the_old_shop_hashed_what_was_typed_whatever_its_composition() -> None:
    typed = "Ko\u0308nigsweg"
    known = "legacy-sha1$0badcafe$" + hashlib.sha1(f"0badcafe{typed}".encode()).hexdigest()  # noqa: S324
    assert (await Argon2Passwords().verify(typed, known))[0]


@pytest.mark.parametrize("known", [KNOWN_THERE, "legacy-sha1$$", "legacy-sha1$"])
async def test_a_wrong_password_for_a_hash_of_the_old_shop_costs_a_full_one(known: str) -> None:
    hasher = RecordingHasher()
    assert await Argon2Passwords(hasher).verify("battery staple", known) == (False, None)
    assert len(hasher.verified) == 1


async def test_no_more_than_two_are_hashed_at_once() -> None:
    passwords, gate = gated(LIMIT)
    waiting = [asyncio.create_task(passwords.hash("x")) for _ in range(8)]
    await gate.until_inside(2)
    gate.open.set()
    await asyncio.gather(*waiting)
    assert gate.most == 2


async def test_who_has_waited_too_long_is_sent_away() -> None:
    passwords, gate = gated(0.05)
    hashing = [asyncio.create_task(passwords.hash("x")) for _ in range(2)]
    await gate.until_inside(2)
    with pytest.raises(PasswordsBusy):
        await passwords.hash("x")
    gate.open.set()
    await asyncio.gather(*hashing)


async def test_a_caller_who_leaves_does_not_free_the_place_of_a_thread_still_at_work() -> None:
    passwords, gate = gated(0.05)
    leaving = [asyncio.create_task(passwords.hash("x")) for _ in range(2)]
    await gate.until_inside(2)
    for task in leaving:
        task.cancel()
    await asyncio.wait(leaving)
    with pytest.raises(PasswordsBusy):
        await passwords.hash("x")
    gate.open.set()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_hashing_gives_its_memory_back() -> None:
    program = """
import resource
from concurrent.futures import ThreadPoolExecutor
from identity.passwords import give_memory_back, owasp

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 2**20

give_memory_back()
before, hasher = resident(), owasp()
hasher.hash("x")
list(ThreadPoolExecutor(2).map(hasher.hash, ["x"] * 8))
print(resident() - before)
"""
    kept = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert int(kept.stdout) < 10
