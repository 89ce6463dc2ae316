"""Access tokens: what is refused, how often keys are fetched, and how long a verified token is believed."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Mapping
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OKPKey

from chassis import errors
from chassis.auth import Caller, TokenInvalid, TokenVerifier, authenticated, operator
from chassis.errors import DependencyUnavailable
from chassis.settings import TokenSettings

NOW = 1_800_000_000.0
SUBJECT = "01890a5d-ac96-774b-bcce-b302099a8057"
CLAIMS = {"iss": "banyan-identity", "aud": "banyan", "sub": SUBJECT, "roles": ["customer"], "exp": int(NOW) + 600}
SETTINGS = TokenSettings(jwks_url="http://identity.test/jwks.json")


class Issuer:
    """Signs tokens, publishes keys, and counts how often it was asked for them."""

    def __init__(self, *names: str) -> None:
        self.keys = {name: OKPKey.generate_key("Ed25519", {"kid": name}) for name in names}
        self.asked = 0
        self.down = False

    async def fetch(self) -> dict[str, Any]:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.down:
            raise DependencyUnavailable("identity does not answer")
        return {"keys": [key.as_dict(private=False) for key in self.keys.values()]}

    def token(self, kid: str = "one", header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        merged = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
        complete = {"alg": "Ed25519", "typ": "at+jwt", "kid": kid, **(header or {})}
        present = {name: value for name, value in complete.items() if value is not None}
        return jwt.encode(present, merged, self.keys[kid], algorithms=["Ed25519"])


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Issuer:
    return Issuer("one")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(issuer: Issuer, clock: Clock) -> TokenVerifier:
    return TokenVerifier(issuer.fetch, SETTINGS, clock, clock)


async def test_a_good_token_names_its_caller(verifier: TokenVerifier, issuer: Issuer) -> None:
    caller = await verifier.verify(issuer.token())
    assert (str(caller.id), caller.roles, caller.expires_at) == (SUBJECT, frozenset({"customer"}), NOW + 600)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"exp": int(NOW) - 1}, "expired"),
        ({"exp": None}, "without an end"),
        ({"exp": "never"}, "with an end that is no time"),
        ({"iss": "somebody"}, "of another issuer"),
        ({"iss": None}, "of nobody"),
        ({"aud": "another"}, "for another audience"),
        ({"aud": None}, "for nobody"),
        ({"sub": None}, "about nobody"),
        ({"sub": "root"}, "about no customer"),
        ({"roles": 7}, "with roles that are none"),
        ({"nbf": int(NOW) + 60}, "from the future"),
    ],
)
async def test_a_token_is_refused(verifier: TokenVerifier, issuer: Issuer, change: dict[str, Any], why: str) -> None:
    with pytest.raises(TokenInvalid):
        await verifier.verify(issuer.token(**change))


@pytest.mark.parametrize("typ", ["JWT", "at", "", None])
async def test_a_token_of_another_type_is_refused(verifier: TokenVerifier, issuer: Issuer, typ: str | None) -> None:
    with pytest.raises(TokenInvalid):
        await verifier.verify(issuer.token(header={"typ": typ}))


async def test_a_token_signed_by_another_key_of_the_same_name_is_refused(
    verifier: TokenVerifier, issuer: Issuer
) -> None:
    await verifier.verify(issuer.token())
    with pytest.raises(TokenInvalid):
        await verifier.verify(Issuer("one").token())


async def test_a_changed_token_is_refused(verifier: TokenVerifier, issuer: Issuer) -> None:
    header, _, signature = issuer.token().split(".")
    promoted = base64.urlsafe_b64encode(json.dumps({**CLAIMS, "roles": ["operator"]}).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenInvalid):
        await verifier.verify(f"{header}.{promoted}.{signature}")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_an_unsigned_token_is_refused(verifier: TokenVerifier) -> None:
    for alg in ("none", "None", "NONE"):
        header = encoded({"alg": alg, "typ": "at+jwt", "kid": "one"})
        for signature in ("", "AA"):
            with pytest.raises(TokenInvalid):
                await verifier.verify(f"{header}.{encoded(CLAIMS)}.{signature}")


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    verifier: TokenVerifier, issuer: Issuer
) -> None:
    key = issuer.keys["one"]
    raw = base64.urlsafe_b64decode(f"{key.as_dict(private=False)['x']}=")
    for secret in (key.as_pem(private=False), raw):
        signed = f"{encoded({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'one'})}.{encoded(CLAIMS)}"
        signature = hmac.digest(secret, signed.encode(), "sha256")
        with pytest.raises(TokenInvalid):
            await verifier.verify(f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


async def test_a_token_that_demands_what_is_not_understood_is_refused(verifier: TokenVerifier) -> None:
    header = encoded({"alg": "Ed25519", "typ": "at+jwt", "kid": "one", "crit": ["exp"], "exp": 1})
    with pytest.raises(TokenInvalid):
        await verifier.verify(f"{header}.{encoded(CLAIMS)}.AA")


HEADERS = [[], "x", 1, None, {}, {"kid": None}, {"kid": []}, {"kid": "one"}, {"kid": "one", "alg": 1}]


@pytest.mark.parametrize("header", HEADERS)
async def test_a_header_of_another_shape_is_refused(verifier: TokenVerifier, header: object) -> None:
    with pytest.raises(TokenInvalid):
        await verifier.verify(f"{encoded(header)}.{encoded(CLAIMS)}.AA")


async def test_a_header_of_brackets_is_refused(verifier: TokenVerifier) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 2900).decode()
    with pytest.raises(TokenInvalid):
        await verifier.verify(f"{deep}.e30.AA")


@given(st.one_of(st.text(), st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}", fullmatch=True)))
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    verifier = TokenVerifier(Issuer("one").fetch, SETTINGS)
    with pytest.raises(TokenInvalid):
        asyncio.run(verifier.verify(text))


async def test_a_thousand_unknown_key_names_cost_one_fetch(
    verifier: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    strangers = [Issuer(f"k{number}").token(f"k{number}") for number in range(100)]
    names = [encoded({"alg": "Ed25519", "typ": "at+jwt", "kid": f"x{number}"}) for number in range(900)]
    tokens = strangers + [f"{name}.{encoded(CLAIMS)}.AA" for name in names]
    outcomes = await asyncio.gather(*map(verifier.verify, tokens), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {TokenInvalid}
    for token in tokens[:50]:
        with pytest.raises(TokenInvalid):
            await verifier.verify(token)
    assert issuer.asked == 1


async def test_a_rotated_key_is_believed_and_so_is_the_one_before(
    verifier: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    old = issuer.token("one")
    await verifier.verify(old)
    issuer.keys["two"] = OKPKey.generate_key("Ed25519", {"kid": "two"})
    clock.now += verifier.FETCH_COOLDOWN
    assert await verifier.verify(issuer.token("two"))
    assert await verifier.verify(issuer.token("one", jti="another"))
    assert issuer.asked == 2


async def test_a_key_that_was_taken_away_is_forgotten(verifier: TokenVerifier, issuer: Issuer, clock: Clock) -> None:
    await verifier.verify(issuer.token("one"))
    stolen = Issuer()
    stolen.keys = dict(issuer.keys)
    issuer.keys = {"two": OKPKey.generate_key("Ed25519", {"kid": "two"})}
    clock.now += verifier.KEYS_FRESH
    await verifier.verify(issuer.token("two"))
    with pytest.raises(TokenInvalid):
        await verifier.verify(stolen.token("one", jti="made with the stolen key"))


async def test_while_the_issuer_is_away_known_keys_serve(verifier: TokenVerifier, issuer: Issuer, clock: Clock) -> None:
    issuer.down = True
    with pytest.raises(DependencyUnavailable):
        await verifier.verify(issuer.token())
    issuer.down = False
    clock.now += verifier.FETCH_COOLDOWN
    await verifier.verify(issuer.token())
    issuer.down = True
    clock.now += verifier.KEYS_FRESH
    assert await verifier.verify(issuer.token(jti="later", exp=int(clock.now) + 600))


async def test_a_verified_token_is_not_believed_beyond_its_end(
    verifier: TokenVerifier, issuer: Issuer, clock: Clock
) -> None:
    token = issuer.token()
    await verifier.verify(token)
    clock.now = NOW + 599.9
    assert verifier.cached(token) is not None
    clock.now = NOW + 600
    assert verifier.cached(token) is None
    clock.now = NOW + 601
    with pytest.raises(TokenInvalid):
        await verifier.verify(token)


async def test_the_cache_of_verified_tokens_does_not_grow_without_end(
    verifier: TokenVerifier, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TokenVerifier, "TOKENS_KEPT", 3)
    tokens = [issuer.token(jti=str(number)) for number in range(5)]
    for token in tokens:
        await verifier.verify(token)
    assert [verifier.cached(token) is not None for token in tokens] == [False, False, True, True, True]


@pytest.fixture
def app(issuer: Issuer) -> FastAPI:
    application = FastAPI()
    errors.install(application, {})
    verifier = TokenVerifier(issuer.fetch, SETTINGS)

    @application.get("/me")
    async def me(caller: Annotated[Caller, Depends(authenticated(verifier))]) -> str:
        return str(caller.id)

    @application.get("/admin")
    async def admin(caller: Annotated[Caller, Depends(operator(verifier))]) -> str:
        return str(caller.id)

    return application


async def test_routes_answer_401_and_403_as_problems(app: FastAPI, issuer: Issuer) -> None:
    soon: dict[str, Any] = {"exp": int(time.time()) + 60}
    customer, chief = issuer.token(**soon), issuer.token(**soon, roles=["operator"])
    expected = [
        ("/me", None, 401),
        ("/me", f"Bearer {customer}", 200),
        ("/me", f"Basic {customer}", 401),
        ("/me", f"Bearer {customer}x", 401),
        ("/me", f"Bearer {issuer.token(exp=1)}", 401),
        ("/admin", f"Bearer {customer}", 403),
        ("/admin", f"Bearer {chief}", 200),
    ]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for path, header, status in expected:
            answer = await client.get(path, headers={} if header is None else {"Authorization": header})
            assert answer.status_code == status, (path, header)
            if status == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
            if status != 200:
                assert answer.headers["content-type"] == "application/problem+json"
