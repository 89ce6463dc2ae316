"""Use cases of signing keys: tokens, and the rotation of what signs them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from uuid_utils.compat import uuid7

from identity.application.ports import Clock, Ids, Signer, Storage, UnitOfWork, utc_now
from identity.domain import TOKEN_LIFE, Account, KeyRing, NoSigningKey, SigningKey


@dataclass(frozen=True)
class Issuer:
    """Who signs tokens, and for whom."""

    name: str
    audience: str


class SigningKeys:
    """Signing, publishing and rotating. Replicas take turns; whoever comes second finds the work done."""

    def __init__(
        self,
        storage: Storage,
        signer: Signer,
        issuer: Issuer,
        clock: Clock = utc_now,
        ids: Ids = uuid7,
    ) -> None:
        self._storage = storage
        self._signer = signer
        self._issuer = issuer
        self._clock = clock
        self._ids = ids

    async def issue(self, account: Account) -> str:
        """An access token (RFC 9068) for ten minutes."""
        now = self._clock()
        key = (await self._storage.keys()).signing(now)
        claims = {
            "iss": self._issuer.name,
            "aud": self._issuer.audience,
            "sub": str(account.id),
            "roles": list(account.roles),
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFE).timestamp()),
            "jti": str(self._ids()),
        }
        return self._signer.sign(key, claims)

    async def published(self) -> dict[str, Any]:
        """The public keys as a JWKS document (RFC 7517), the newest first. Raises `NoSigningKey`."""
        keys = (await self._storage.keys()).published(self._clock())
        if not keys:
            raise NoSigningKey("The signing keys are being made; ask again in a moment")
        return {"keys": [self._signer.public(key) for key in reversed(keys)]}

    async def rotate(self) -> SigningKey:
        """Publish a new key, which signs after a delay. While one waits for that, it is the answer again."""
        async with self._storage.begin() as work:
            ring = await work.lock_keys()
            return ring.pending(self._clock()) or await self._add(work, ring)

    async def rotate_if_due(self, rotate_after: timedelta) -> None:
        """Make the first key, or the next when the newest is older than `rotate_after`."""
        if not (await self._storage.keys()).due(rotate_after, self._clock()):
            return
        async with self._storage.begin() as work:
            ring = await work.lock_keys()
            if ring.due(rotate_after, self._clock()):
                await self._add(work, ring)

    async def _add(self, work: UnitOfWork, ring: KeyRing) -> SigningKey:
        now = self._clock()
        key = self._signer.new_key(now, ring.next_activation(now))
        await work.add_key(key)
        for old in KeyRing((*ring.keys, key)).retired(now):
            await work.delete_key(old.kid)
        return key
