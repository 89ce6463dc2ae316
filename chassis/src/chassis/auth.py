"""Access tokens: verified in every service, with keys and verified tokens cached.

joserfc refuses `none` and a key of another kind; required claims and the token's type are checked here. Keys are
fetched beside the request, one fetch for any number of unknown key ids: garbage must not become load on the issuer.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from chassis.errors import FORBIDDEN, UNAUTHENTICATED, DependencyUnavailable, ProblemError
from chassis.settings import IssuerSettings

log = structlog.get_logger(__name__)
ALGORITHM = "Ed25519"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068, not a secret
MAX_TOKEN = 4096

FetchKeys = Callable[[], Awaitable[dict[str, Any]]]


class TokenInvalid(Exception):
    """The token is malformed, forged, expired or meant for somebody else; the reason is for the log."""


@dataclass(frozen=True)
class Caller:
    """Who a verified token speaks for."""

    id: UUID
    roles: frozenset[str]
    expires_at: float


class TokenVerifier:
    """Verifies tokens of one issuer for one audience. `fetch_keys` returns a JWKS document (RFC 7517)."""

    KEYS_FRESH = 300.0
    FETCH_COOLDOWN = 5.0
    TOKENS_KEPT = 10_000

    def __init__(
        self,
        fetch_keys: FetchKeys,
        settings: IssuerSettings,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch_keys = fetch_keys
        self._clock = clock
        self._monotonic = monotonic
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            iss={"essential": True, "value": settings.token_issuer},
            aud={"essential": True, "value": settings.token_audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        self._keys: dict[str, Any] = {}
        self._fetched_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._callers: OrderedDict[str, Caller] = OrderedDict()

    def cached(self, token: str) -> Caller | None:
        """The caller of a token that was verified before and has not expired, without awaiting anything."""
        caller = self._callers.get(token)
        if caller is not None and caller.expires_at <= self._clock():
            del self._callers[token]
            return None
        if caller is not None:
            self._callers.move_to_end(token)
        return caller

    async def verify(self, token: str) -> Caller:
        """Raises `TokenInvalid`, or `DependencyUnavailable` while no key of the issuer could be fetched."""
        caller = self.cached(token)
        if caller is None:
            caller = self._decode(token, await self._key(_key_id(token)))
            self._callers[token] = caller
            if len(self._callers) > self.TOKENS_KEPT:
                self._callers.popitem(last=False)
        return caller

    async def _key(self, kid: str) -> Any:
        age = self._monotonic() - self._fetched_at
        if kid not in self._keys and age >= self.FETCH_COOLDOWN:
            await asyncio.shield(self._refresh())
        elif age >= self.KEYS_FRESH:
            self._refresh()
        if kid in self._keys:
            return self._keys[kid]
        if not self._keys:
            raise DependencyUnavailable("the keys to verify tokens with are not available yet")
        raise TokenInvalid("unknown key")

    def _refresh(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(), name="jwks")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            document = await self._fetch_keys()
            self._keys = {key.kid: key for key in KeySet.import_key_set(document).keys if key.kid}  # type: ignore[arg-type]
        except Exception as error:
            log.warning("keys.unavailable", reason=repr(error))
        finally:
            self._fetched_at = self._monotonic()

    def _decode(self, token: str, key: Any) -> Caller:
        try:
            decoded = jwt.decode(token, key, algorithms=[ALGORITHM])
            self._claims.validate(decoded.claims)
            if decoded.header.get("typ") != TOKEN_TYPE:
                raise TokenInvalid("not an access token")
            claims = decoded.claims
            return Caller(UUID(claims["sub"]), frozenset(map(str, claims.get("roles", ()))), float(claims["exp"]))
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise TokenInvalid(str(error)) from error


def _key_id(token: str) -> str:
    if len(token) > MAX_TOKEN:
        raise TokenInvalid("too long")
    try:
        return str(extract_compact(token.encode("ascii")).headers()["kid"])
    except (JoseError, ValueError, KeyError) as error:
        raise TokenInvalid("malformed") from error


_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="From POST /api/identity/tokens")
Authenticate = Callable[..., Awaitable[Caller]]


def authenticated(verifier: TokenVerifier) -> Authenticate:
    """A FastAPI dependency: the caller, or 401."""

    async def caller(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
        if credentials is None:
            raise ProblemError(UNAUTHENTICATED, "Send `Authorization: Bearer <token>`", _challenge())
        try:
            return await verifier.verify(credentials.credentials)
        except TokenInvalid as error:
            log.info("token.refused", reason=str(error))
            detail = "The access token is not valid (any more)"
            raise ProblemError(UNAUTHENTICATED, detail, _challenge("invalid_token")) from error

    return caller


def operator(verifier: TokenVerifier) -> Authenticate:
    """A FastAPI dependency: a caller with the role `operator`, or 401, or 403."""

    async def caller(known: Annotated[Caller, Depends(authenticated(verifier))]) -> Caller:
        if "operator" not in known.roles:
            raise ProblemError(FORBIDDEN, "This needs the role operator")
        return known

    return caller


def _challenge(error: str | None = None) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer error="{error}"' if error else "Bearer"}
