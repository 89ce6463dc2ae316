"""The same key and body give the same answer, whatever became of the first request."""

import asyncio
import hashlib

import pytest
import sqlalchemy as sa
from sample.storage import keys, note

from chassis.idempotency import LEASE, Answer, Claim, IdempotencyKeys, KeyReused, RequestInProgress
from chassis.storage import Database

LEASE_SECONDS = int(LEASE.total_seconds())

CREATED = Answer(201, b'{"id": 1}', "/notes/1")


@pytest.fixture
def known(database: Database) -> IdempotencyKeys:
    return IdempotencyKeys(database, keys)


class Request:
    """A request that does its work under a key."""

    def __init__(self, database: Database, known: IdempotencyKeys) -> None:
        self._database = database
        self._known = known
        self.release = asyncio.Event()
        self.release.set()

    async def send(self, body: bytes = b"body", caller: str = "anna", *, fail: bool = False) -> Answer:
        async with self._known.claim(caller, "key", body) as claim:
            if claim.answer is not None:
                return claim.answer
            await self.release.wait()
            await self._work(claim, fail)
            return CREATED

    async def _work(self, claim: Claim, fail: bool) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(sa.insert(note).values(text="effect"))
            if fail:
                raise LookupError
            await self._known.complete(connection, claim, CREATED)

    async def effects(self) -> int:
        async with self._database.autocommit() as connection:
            return await connection.scalar(sa.select(sa.func.count()).select_from(note)) or 0

    async def age(self, seconds: int) -> None:
        async with self._database.transaction() as connection:
            past = sa.func.now() - sa.text(f"interval '{seconds} seconds'")
            await connection.execute(sa.update(keys).values(claimed_at=past))


@pytest.fixture
def request_(database: Database, known: IdempotencyKeys) -> Request:
    return Request(database, known)


async def test_the_same_request_again_gets_the_first_answer_and_has_no_effect(request_: Request) -> None:
    assert await request_.send() == await request_.send() == CREATED
    assert await request_.effects() == 1
    replayed = CREATED.response()
    assert (replayed.status_code, replayed.body, replayed.headers["location"]) == (201, b'{"id": 1}', "/notes/1")


async def test_another_body_under_the_same_key_is_an_error(request_: Request) -> None:
    await request_.send()
    with pytest.raises(KeyReused):
        await request_.send(b"another")
    assert await request_.effects() == 1


async def test_a_key_belongs_to_the_caller_who_chose_it(request_: Request) -> None:
    await request_.send(caller="anna")
    await request_.send(b"another", caller="bert")
    assert await request_.effects() == 2


async def test_of_many_at_once_one_works_and_the_others_are_told_to_wait(request_: Request) -> None:
    request_.release.clear()
    sent = [asyncio.create_task(request_.send()) for _ in range(8)]
    finished, running = await asyncio.wait(sent, timeout=0.5)
    assert [type(task.exception()) for task in finished] == [RequestInProgress] * 7
    request_.release.set()
    assert await running.pop() == CREATED
    assert await request_.effects() == 1


async def test_an_exception_gives_the_key_back(request_: Request) -> None:
    with pytest.raises(LookupError):
        await request_.send(fail=True)
    assert await request_.send() == CREATED
    assert await request_.effects() == 1


async def test_a_request_that_is_cancelled_gives_the_key_back(request_: Request) -> None:
    request_.release.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await request_.send()
    request_.release.set()
    assert await request_.send() == CREATED


async def test_the_claim_of_a_dead_process_is_taken_over_after_its_lease(
    request_: Request, known: IdempotencyKeys
) -> None:
    await known._take("anna", "key", hashlib.sha256(b"body").digest())  # and dies here
    await request_.age(LEASE_SECONDS - 1)
    with pytest.raises(RequestInProgress):
        await request_.send()
    await request_.age(LEASE_SECONDS + 1)
    with pytest.raises(KeyReused):
        await request_.send(b"another")
    assert await request_.send() == CREATED


async def test_a_claimant_that_was_only_slow_has_no_second_effect(request_: Request) -> None:
    request_.release.clear()
    slow = asyncio.create_task(request_.send())
    await asyncio.wait([slow], timeout=0.3)
    await request_.age(LEASE_SECONDS + 1)
    second = asyncio.create_task(request_.send())
    await asyncio.wait([second], timeout=0.3)
    request_.release.set()
    outcomes = await asyncio.gather(slow, second, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Answer", "RequestInProgress"]
    assert await request_.effects() == 1
    assert await request_.send() == CREATED


async def test_keys_are_forgotten_after_a_day(request_: Request, known: IdempotencyKeys, database: Database) -> None:
    await request_.send()
    await request_.age(23 * 3600)
    async with database.transaction() as connection:
        await known.forget_old(connection)
    assert await request_.send() == CREATED
    assert await request_.effects() == 1
    await request_.age(25 * 3600)
    async with database.transaction() as connection:
        await known.forget_old(connection)
    await request_.send()
    assert await request_.effects() == 2
