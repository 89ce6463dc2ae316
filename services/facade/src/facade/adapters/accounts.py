"""The old shop's logins and registrations over identity, for the time when there is no old shop any more."""

import re
from uuid import uuid4

from facade.adapters import forms, render
from facade.adapters.api import told
from facade.adapters.credentials import LONGEST_EMAIL, LONGEST_PASSWORD, Customers
from facade.adapters.errors import BadRequest, EmailTaken, ShopError
from facade.adapters.pages import Pages, Visit, page, sent_to, sorry
from facade.adapters.routes import Routes
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.shop_clients.identity import EmailKnown, IdentityClient, Profile, Registration, RegistrationRefused

LONGEST_NAME = 100
_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")


class AccountsAdapter(Routes):
    """An `Upstream` for all addresses of the accounts."""

    def __init__(self, identity: IdentityClient, customers: Customers, pages: Pages) -> None:
        self._identity = identity
        self._customers = customers
        super().__init__(
            {
                "/legacy/login": {"GET": pages.shown(_login_form), "POST": pages.shown(self._log_in)},
                "/legacy/register": {"GET": pages.shown(_register_form), "POST": pages.shown(self._register_page)},
                "/legacy/logout": {"POST": pages.shown(_log_out)},
                "/legacy/api/me": {"GET": told(self._me)},
                "/legacy/api/register": {"POST": told(self._register_answer)},
            }
        )

    async def _me(self, request: LegacyRequest, _: int) -> LegacyResponse:
        profile = await self._identity.profile(await self._customers.named(request))
        return render.answer(customer=_shown(profile))

    async def _register_answer(self, request: LegacyRequest, _: int) -> LegacyResponse:
        body = forms.json_body(request)
        email, name, password = (forms.words(body, key) for key in ("email", "name", "password"))
        return render.answer(customer=_shown(await self._register(request, email, name, password)))

    async def _log_in(self, visit: Visit) -> LegacyResponse:
        email = visit.form.get("email", "")
        try:
            token = await self._customers.known(email, visit.form.get("password", ""), visit.request)
        except ShopError as error:
            return page(visit.session, "login.html", "Log in", sorry(error), email=email)
        profile = await self._identity.profile(token)
        visit.session.log_in(profile.number, profile.email)
        return sent_to("/legacy/basket" if visit.session.basket() else "/legacy/")

    async def _register_page(self, visit: Visit) -> LegacyResponse:
        email, name = visit.form.get("email", ""), visit.form.get("name", "")
        try:
            profile = await self._register(visit.request, email, name, visit.form.get("password", ""))
        except ShopError as error:
            return page(visit.session, "register.html", "Register", sorry(error), name=name, email=email)
        visit.session.log_in(profile.number, profile.email)
        return sent_to("/legacy/")

    async def _register(self, request: LegacyRequest, email: str, name: str, password: str) -> Profile:
        """Raises `BadRequest`, also for what only identity refuses, and `EmailTaken`."""
        email, name = email.strip().lower(), name.strip()
        good = len(email) <= LONGEST_EMAIL and _EMAIL.fullmatch(email)
        if not good or not forms.is_text(name, LONGEST_NAME) or not forms.is_text(password, LONGEST_PASSWORD):
            raise BadRequest
        new = Registration(str(uuid4()), email, name, password)
        try:
            await self._identity.register(new, forms.address(request))
        except EmailKnown:
            raise EmailTaken from None
        except RegistrationRefused:
            raise BadRequest from None
        return await self._identity.profile(await self._customers.known(email, password, request))


async def _login_form(visit: Visit) -> LegacyResponse:
    return page(visit.session, "login.html", "Log in", email="")


async def _register_form(visit: Visit) -> LegacyResponse:
    return page(visit.session, "register.html", "Register", name="", email="")


async def _log_out(visit: Visit) -> LegacyResponse:
    visit.session.log_out()
    return sent_to("/legacy/")


def _shown(profile: Profile) -> dict[str, object]:
    return {"id": profile.number, "email": profile.email, "name": profile.name}
