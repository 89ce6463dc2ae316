"""Password hashes: argon2id, beside the event loop, and never more at once than the memory allows.

What the old shop made is verified too, and replaced at once.
"""

import asyncio
import contextlib
import ctypes
import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from identity.domain import LEGACY_HASH, PasswordsBusy

T = TypeVar("T")

AT_ONCE = 2  # 19 MiB each
LONGEST_WAIT = 2.0
_M_MMAP_THRESHOLD = -3  # malloc.h


def give_memory_back() -> None:
    """Let a hash's 19 MiB go when it is done, for this process.

    After the first one is freed glibc takes blocks of that size for usual, and keeps them: 57 MiB for good, measured,
    of a process that has 72. A fixed threshold ends that, at a fifth of a hash's time for fresh pages. Other C
    libraries give large blocks back by themselves.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 4 * 1024 * 1024)


def owasp() -> Argon2Hasher:
    """19 MiB, two passes, one lane: OWASP's Password Storage Cheat Sheet, some 25 ms."""
    return Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)


class Argon2Passwords:
    """Hashes with `hasher`; verifies what older parameters made, and says then what to keep instead."""

    name = "passwords"

    def __init__(self, hasher: Argon2Hasher | None = None, longest_wait: float = LONGEST_WAIT) -> None:
        hasher = hasher or owasp()
        self._hashes = PasswordHash((hasher,))
        self._nobodys = hasher.hash("the password of an account that does not exist")
        self._longest_wait = longest_wait
        self._free = asyncio.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")

    async def start(self) -> None:
        """Threads start with their first work."""

    async def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        return await self._in_thread(lambda: self._hashes.hash(_normal(password)))

    async def verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        """Right or wrong, and the hash to keep instead. Without a hash: wrong, after the same work."""
        known = password_hash or self._nobodys
        right, better = await self._in_thread(lambda: self._verified(password, known))
        return right and password_hash is not None, better

    def _verified(self, password: str, known: str) -> tuple[bool, str | None]:
        if not known.startswith(LEGACY_HASH):
            return self._hashes.verify_and_update(_normal(password), known)
        if _is_of_legacy(password, known):
            return True, self._hashes.hash(_normal(password))
        # SHA-1 is a thousand times faster: without this, a wrong password would tell who has not been here yet.
        self._hashes.verify(_normal(password), self._nobodys)
        return False, None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._longest_wait):
                await self._free.acquire()
        except TimeoutError:
            raise PasswordsBusy("Too many passwords wait to be checked") from None
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        running.add_done_callback(lambda _: self._free.release())
        # A thread cannot be cancelled: shielded, its place stays taken until it is done, though its caller has left.
        return await asyncio.shield(running)


def _is_of_legacy(password: str, known: str) -> bool:
    """Whether the password is the one of a hash that the old shop made, of the letters as they were typed."""
    salt, _, digest = known.removeprefix(LEGACY_HASH).rpartition("$")
    sha1 = hashlib.sha1((salt + password).encode(), usedforsecurity=False)
    return hmac.compare_digest(sha1.hexdigest(), digest)


def _normal(password: str) -> str:
    """Keyboards differ in how they compose an umlaut (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
