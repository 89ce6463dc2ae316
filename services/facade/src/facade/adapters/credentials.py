"""Access tokens for the old shop's customers, who show a session of the old shop or a password with each request."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from facade.adapters import forms
from facade.adapters.errors import LoginFailed
from facade.legacy_http import LegacyRequest
from facade.ports import CannotAnswer, Upstream
from facade.shop_clients.identity import IdentityClient, LoginThrottled, Token

# A token is not used in its last minute: the order that begins with it must end with it, and clocks differ.
MARGIN_SECONDS = 60.0
CACHED = 10_000
IMPORT_SECONDS, IMPORT_PAUSE = 2.0, 0.1
LONGEST_EMAIL, LONGEST_PASSWORD = 254, 128
# The old shop while it is asked, None when it has retired.
OldShop = Callable[[], Upstream | None]


class TokenCache:
    """The tokens that were used last, while they are good."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def find(self, key: bytes) -> str | None:
        """The token that was kept under this key."""
        token, good_until = self._kept.get(key, ("", 0.0))
        if self._clock() >= good_until:
            self._kept.pop(key, None)
            return None
        self._kept.move_to_end(key)
        return token

    def keep(self, key: bytes, token: Token) -> str:
        """Keep it; whichever was not used for longest makes room."""
        self._kept[key] = (token.access_token, self._clock() + token.expires_in - MARGIN_SECONDS)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return token.access_token

    def __len__(self) -> int:
        return len(self._kept)


class Customers:
    """Who asks, as a token of identity.

    Passwords are kept by a keyed hash only, whose key is this process's own: a heap dump must not be a list of them.
    """

    def __init__(
        self,
        identity: IdentityClient,
        old_shop: OldShop,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        size: int = CACHED,
        logs_in: bool = True,
    ) -> None:
        """`logs_in`: show passwords to identity. The mirror must not: failures would count against real customers."""
        self._identity = identity
        self._old_shop = old_shop
        self._logs_in = logs_in
        self._clock = clock
        self._sleep = sleep
        self._key = secrets.token_bytes(32)
        self._tokens = TokenCache(size, clock)

    async def numbered(self, number: int) -> str:
        """The token of a session's customer; raises `CannotAnswer` while identity has not heard of them."""
        key = self._digest(f"number\0{number}")
        return self._tokens.find(key) or self._tokens.keep(key, await self._exchanged(number))

    async def named(self, request: LegacyRequest) -> str:
        """The token of HTTP Basic's customer; raises `LoginFailed`."""
        sent = forms.credentials(request)
        if sent is None:
            raise LoginFailed
        return await self.known(sent[0], sent[1], request)

    async def known(self, email: str, password: str, request: LegacyRequest) -> str:
        """The same for an address and a password, however they came."""
        email = email.strip().lower()
        if not forms.is_text(email, LONGEST_EMAIL) or not forms.is_text(password, LONGEST_PASSWORD):
            raise LoginFailed
        key = self._digest(f"password\0{email}\0{password}")
        if (token := self._tokens.find(key)) is not None:
            return token
        found = await self._logged_in(email, password, request) if self._logs_in else None
        return self._tokens.keep(key, found or await self._imported(email, password))

    async def _logged_in(self, email: str, password: str, request: LegacyRequest) -> Token | None:
        try:
            return await self._identity.log_in(email, password, forms.address(request))
        except LoginThrottled:
            # Not on to the old shop, which counts nothing: it would be the way around the limit.
            raise LoginFailed from None

    async def _imported(self, email: str, password: str) -> Token:
        """By the old shop's word: for its customers who have not come over yet, and for the mirror.

        Identity is not asked for the password again: each wrong answer would count as a failed login, and lock out
        whoever orders right after they have registered.
        """
        old_shop = self._old_shop()
        if old_shop is None:
            raise LoginFailed
        basic = ("Authorization", f"Basic {b64encode(f'{email}:{password}'.encode()).decode()}")
        try:
            answer = await old_shop.answer(LegacyRequest("GET", "/legacy/api/me", headers=(basic,)))
        except CannotAnswer:
            if not self._logs_in:
                raise  # identity has not said no
            raise LoginFailed from None
        return await self._exchanged(_customer(answer.body))

    async def _exchanged(self, number: int) -> Token:
        limit = self._clock() + IMPORT_SECONDS
        while (token := await self._identity.exchange(number)) is None:
            if self._clock() >= limit:
                raise CannotAnswer("identity does not know this customer of the old shop yet")
            await self._sleep(IMPORT_PAUSE)
        return token

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), hashlib.sha256)


def _customer(body: bytes) -> int:
    try:
        found = json.loads(body)
        if found["ok"] == 1:
            return int(found["customer"]["id"])
    except (ValueError, KeyError, TypeError):
        raise CannotAnswer("the old shop's answer cannot be read") from None
    raise LoginFailed
