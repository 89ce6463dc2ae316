"""Who calls, and whether the row lets them: a token is checked once and remembered until it expires."""

from chassis.auth import Caller, TokenInvalid, TokenVerifier
from chassis.errors import DependencyUnavailable
from gateway import problems
from gateway.problems import Refusal, retry_after
from gateway.request import Request
from gateway.routes import Access, Route

_READS = frozenset({b"GET", b"HEAD", b"OPTIONS"})


class Authorizer:
    """Applies a row's access to a request. A wrong token is refused everywhere, a missing one where one is needed.

    A row with a login of its own sees to `Basic` itself.
    """

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def authorize(self, request: Request, route: Route) -> Caller | None:
        """The caller, None for an anonymous one; raises `Refusal` 401, 403, or 503 while no key is known."""
        access = route.read if request.method in _READS else route.write
        credentials = request.header(b"authorization")
        if credentials is None:
            if access is Access.PUBLIC:
                return None
            raise _unauthenticated("Send `Authorization: Bearer <token>`", "Bearer", "no-token")
        if route.own_login and _is_basic(credentials):
            return None
        caller = await self._caller(credentials.decode("latin-1"))
        if access is Access.OPERATOR and "operator" not in caller.roles:
            raise Refusal(problems.FORBIDDEN, "This needs the role operator", "forbidden")
        return caller

    async def _caller(self, credentials: str) -> Caller:
        scheme, _, token = credentials.partition(" ")
        if scheme.lower() != "bearer":
            raise _unauthenticated("Only `Bearer` is accepted", "Bearer", "invalid-token")
        known = self._verifier.cached(token)
        if known is not None:
            return known
        try:
            return await self._verifier.verify(token)
        except TokenInvalid as error:
            detail = "The access token is not valid (any more)"
            raise _unauthenticated(detail, 'Bearer error="invalid_token"', "invalid-token") from error
        except DependencyUnavailable as error:
            detail = "Tokens cannot be checked at the moment"
            raise Refusal(problems.UNAVAILABLE, detail, "no-keys", (retry_after(1),)) from error


def _is_basic(credentials: bytes) -> bool:
    return credentials.partition(b" ")[0].lower() == b"basic"


def _unauthenticated(detail: str, challenge: str, reason: str) -> Refusal:
    return Refusal(problems.UNAUTHENTICATED, detail, reason, (("www-authenticate", challenge),))
