"""The HTTP interface of identity."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from math import ceil
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from chassis.auth import Authenticate, Caller
from chassis.errors import NOT_FOUND, UNAVAILABLE, Problem, ProblemError, responses
from chassis.idempotency import PROBLEMS as IDEMPOTENCY_PROBLEMS
from chassis.idempotency import Answer, IdempotencyKeys
from identity.application import Accounts, NewCustomer, SigningKeys
from identity.domain import (
    EMAIL_LENGTH,
    EMAIL_PATTERN,
    KEYS_CACHED,
    TOKEN_LIFE,
    Account,
    AccountUnknown,
    EmailTaken,
    InvalidCredentials,
    LoginThrottled,
    NoSigningKey,
    PasswordsBusy,
    SigningKeySealed,
    normalise_email,
)

PREFIX = "/api/identity"
Fingerprint = Callable[[bytes], bytes]
INVALID_CREDENTIALS = Problem(401, "invalid-credentials", "The e-mail address or the password is wrong")
THROTTLED = Problem(429, "login-throttled", "Too many failed logins")

PROBLEMS: Mapping[type[Exception], Problem] = {
    **IDEMPOTENCY_PROBLEMS,
    EmailTaken: Problem(409, "email-taken", "An account with this e-mail address exists"),
    AccountUnknown: NOT_FOUND,
    NoSigningKey: UNAVAILABLE,
    SigningKeySealed: UNAVAILABLE,
    PasswordsBusy: Problem(503, "overloaded", "Too many passwords wait to be checked"),
}


def _utf8(secret: SecretStr) -> SecretStr:
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return secret


Email = Annotated[str, Field(max_length=EMAIL_LENGTH, pattern=EMAIL_PATTERN)]
# No control character, no blank at the edges.
Name = Annotated[str, Field(max_length=100, pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?$")]
NewPassword = Annotated[SecretStr, Field(min_length=10, max_length=128), AfterValidator(_utf8)]
KnownPassword = Annotated[SecretStr, Field(min_length=1, max_length=128), AfterValidator(_utf8)]
OptionalKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")
]


class Registration(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    email: Email
    name: Name
    password: NewPassword


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    email: Email
    password: KnownPassword


class CustomerAnswer(BaseModel):
    """`number` is what the old shop calls the customer by."""

    id: UUID
    number: int
    email: str
    name: str


class ProfileAnswer(CustomerAnswer):
    roles: list[str]


class TokenAnswer(BaseModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750
    expires_in: int = int(TOKEN_LIFE.total_seconds())


class KeyAnswer(BaseModel):
    kid: str
    created_at: datetime
    activates_at: datetime


class Jwk(BaseModel):
    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class JwksAnswer(BaseModel):
    keys: list[Jwk]


def router(
    accounts: Accounts,
    keys: SigningKeys,
    idempotency: IdempotencyKeys,
    fingerprint: Fingerprint,
    authenticated: Authenticate,
    operator: Authenticate,
) -> APIRouter:
    """All routes."""
    routes = APIRouter(prefix=PREFIX, tags=["identity"])

    @routes.post("/customers", status_code=201, response_model=CustomerAnswer, responses=responses(409))
    async def register(body: Registration, key: OptionalKey = None) -> Response:
        """Register a customer. The address is taken as it is: this shop sends no mail to prove it."""
        new = NewCustomer(body.email, body.name, body.password.get_secret_value())
        if key is None:
            return (await accounts.register(new, _registered, None)).response()
        caller = f"anonymous:{fingerprint(normalise_email(new.email).encode()).hex()}"
        wanted = orjson.dumps([new.email, new.name, new.password])
        async with idempotency.claim(caller, key, fingerprint(wanted)) as claim:
            return (claim.answer or await accounts.register(new, _registered, claim)).response()

    @routes.post("/tokens", responses=responses(401, 429))
    async def log_in(body: Login, request: Request, response: Response) -> TokenAnswer:
        """Log in: an access token for ten minutes. Failed logins are counted by account and by client address."""
        response.headers["Cache-Control"] = "no-store"
        with _refusals():
            account = await accounts.log_in(body.email, body.password.get_secret_value(), client_address(request))
        return TokenAnswer(access_token=await keys.issue(account))

    @routes.get("/me", responses=responses(401, 404))
    async def me(caller: Annotated[Caller, Depends(authenticated)]) -> ProfileAnswer:
        """Who the token speaks for."""
        account = await accounts.profile(caller.id)
        return ProfileAnswer(**_customer(account), roles=list(account.roles))

    _add_keys(routes, keys, operator)
    return routes


def _add_keys(routes: APIRouter, keys: SigningKeys, operator: Authenticate) -> None:
    @routes.get("/jwks.json", responses=responses())
    async def published(response: Response) -> JwksAnswer:
        """The keys to verify access tokens with, the newest first."""
        document = await keys.published()
        response.headers["Cache-Control"] = f"public, max-age={int(KEYS_CACHED.total_seconds())}"
        return JwksAnswer.model_validate(document)

    @routes.post("/keys", status_code=201, responses=responses(401, 403), dependencies=[Depends(operator)])
    async def rotate() -> KeyAnswer:
        """Publish a new signing key. It signs from `activates_at` on; asked again before, this is the answer again."""
        key = await keys.rotate()
        return KeyAnswer(kid=key.kid, created_at=key.created_at, activates_at=key.activates_at)


def client_address(request: Request) -> str:
    """Whom to count failed logins of: what the gateway saw (it sets the header anew), or else the peer.

    IPv6 is counted by /64, which is what one household gets.
    """
    seen = request.headers.get("x-forwarded-for", "").rsplit(",", 1)[-1].strip()
    peer = request.client.host if request.client else ""
    for candidate in (seen, peer):
        try:
            address = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        if isinstance(address, ipaddress.IPv6Address):
            return str(address.ipv4_mapped or ipaddress.ip_network((int(address), 64), strict=False))
        return str(address)
    return "unknown"


def _registered(account: Account) -> Answer:
    return Answer(201, CustomerAnswer(**_customer(account)).model_dump_json().encode())


def _customer(account: Account) -> dict[str, Any]:
    return {"id": account.id, "number": account.number, "email": account.email, "name": account.name}


@contextmanager
def _refusals() -> Iterator[None]:
    """Refusals of a login that carry a header of their own."""
    try:
        yield
    except InvalidCredentials as error:
        raise ProblemError(INVALID_CREDENTIALS, str(error), {"WWW-Authenticate": "Bearer"}) from error
    except LoginThrottled as error:
        wait = {"Retry-After": str(ceil(error.retry_after.total_seconds()))}
        raise ProblemError(THROTTLED, str(error), wait) from error
