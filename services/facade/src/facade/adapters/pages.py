"""What all pages of the old shop have in common: the frame, the cookie, the token of the forms, the refusals."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from facade.adapters import forms, render
from facade.adapters.errors import FormExpired, NoSuchOrder, NoSuchProduct, ShopError
from facade.adapters.routes import Handler
from facade.adapters.session import Session, Sessions
from facade.legacy_http import LegacyRequest, LegacyResponse

_WITH_FORM = {"book.html", "basket.html", "checkout.html", "login.html", "register.html"}


@dataclass(frozen=True)
class Visit:
    """A request of a browser. `number` is that of its address, `form` is empty unless one was sent."""

    request: LegacyRequest
    session: Session
    number: int
    form: Mapping[str, str]


PageHandler = Callable[[Visit], Awaitable[LegacyResponse]]


class Pages:
    """Makes handlers out of page handlers."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def shown(self, handler: PageHandler) -> Handler:
        """The handler between the cookie that comes and the cookie that goes; forms of others are refused."""

        async def handle(request: LegacyRequest, number: int) -> LegacyResponse:
            form = forms.form(request) if request.method == "POST" else {}
            session = self._sessions.open(request)
            return self._sessions.close(session, await _answer(handler, Visit(request, session, number, form)))

        return handle


async def _answer(handler: PageHandler, visit: Visit) -> LegacyResponse:
    try:
        if visit.request.method == "POST" and not visit.session.is_form_token(visit.form.get("csrf", "")):
            raise FormExpired
        return await handler(visit)
    except ShopError as error:
        status = 404 if isinstance(error, NoSuchProduct | NoSuchOrder) else 403
        return page(visit.session, "message.html", "Sorry", sorry(error), status)


def page(
    session: Session, template: str, title: str, message: str = "", status: int = 200, query: str = "", **values: Any
) -> LegacyResponse:
    """A page with what the frame round it needs. Who only looks round gets no cookie."""
    customer = session.email
    token = session.form_token() if customer or template in _WITH_FORM else ""
    return render.page(
        template,
        status,
        title=title,
        message=message,
        query=query,
        customer=customer,
        basket_count=sum(session.basket().values()),
        csrf=token,
        **values,
    )


def sorry(error: ShopError) -> str:
    """A refusal in a page."""
    return f"Sorry: {error}."


def sent_to(address: str) -> LegacyResponse:
    """To another page."""
    return render.html("", 302, ("Location", address))
