"""Identity, as the adapters see it."""

from dataclasses import dataclass, field

import httpx

from chassis.breaker import BreakerOpen
from chassis.deadlines import DeadlineExceeded
from chassis.errors import DependencyUnavailable
from chassis.http_client import HttpClient
from chassis.shared_key import SharedKey
from facade.ports import CannotAnswer
from facade.shop_clients.asking import ask, read

_EMAIL_TAKEN = "urn:banyan:problem:email-taken"


@dataclass(frozen=True)
class Token:
    """An access token of a customer; `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True)
class Profile:
    """Who a customer is; `number` is what the old shop calls them by."""

    number: int
    email: str
    name: str


@dataclass(frozen=True)
class Registration:
    """What somebody registers with; `key` makes it one registration, however often it is sent."""

    key: str
    email: str
    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class _Problem:
    type: str


class LoginThrottled(Exception):
    """Identity does not look at this login now, after too many failures."""


class EmailKnown(Exception):
    """An account with this address exists."""


class RegistrationRefused(Exception):
    """Identity wants more of a name or a password than the old shop did."""


class IdentityClient:
    """`address` is the customer's own, so that failed logins count against them and not against the facade."""

    def __init__(self, http: HttpClient, exchange_key: SharedKey) -> None:
        self._http = http
        self._exchange_key = exchange_key

    async def log_in(self, email: str, password: str, address: str | None) -> Token | None:
        """None when identity does not know these; raises `LoginThrottled`."""
        login = {"email": email, "password": password}
        answer = await self._post("/api/identity/tokens", login, _seen(address))
        if answer.status_code == 429:
            raise LoginThrottled
        if answer.status_code in (401, 422):
            return None
        if answer.status_code != 200:
            raise CannotAnswer(f"identity answered {answer.status_code}")
        return read(Token, answer.content)

    async def exchange(self, number: int) -> Token | None:
        """A token for whoever the old shop knows under this number; None while identity has not heard of them."""
        path, asked = "/api/identity/exchanges", {"customer_number": number}
        body = await ask(
            self._http, "POST", path, absent=[404], idempotent=True, json=asked, headers=self._exchange_key.headers()
        )
        return None if body is None else read(Token, body)

    async def profile(self, token: str) -> Profile:
        """Whom the token speaks for."""
        headers = {"Authorization": f"Bearer {token}"}
        return read(Profile, await ask(self._http, "GET", "/api/identity/me", headers=headers))

    async def register(self, new: Registration, address: str | None) -> None:
        """Make a customer. Raises `EmailKnown`, `RegistrationRefused`."""
        body = {"email": new.email, "name": new.name, "password": new.password}
        headers = {**_seen(address), "Idempotency-Key": new.key}
        answer = await self._post("/api/identity/customers", body, headers)
        if answer.status_code == 409 and read(_Problem, answer.content).type == _EMAIL_TAKEN:
            raise EmailKnown
        if answer.status_code == 422:
            raise RegistrationRefused
        if answer.status_code != 201:
            raise CannotAnswer(f"identity answered {answer.status_code}")

    async def _post(self, path: str, body: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        try:
            return await self._http.request("POST", path, idempotent=True, json=body, headers=headers)
        except (DependencyUnavailable, BreakerOpen, DeadlineExceeded) as error:
            raise CannotAnswer(f"identity: {error or type(error).__name__}") from error


def _seen(address: str | None) -> dict[str, str]:
    return {} if address is None else {"X-Forwarded-For": address}
