"""Tokens for customers of the old shop whom the facade knows by their session there: it has a key, they have not.

Its own router, since it may be absent, and in no description: who holds the key can be anybody but an operator.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from chassis.errors import UNAUTHENTICATED, ProblemError
from chassis.shared_key import SharedKey
from identity.api import PREFIX, TokenAnswer
from identity.application import Accounts, SigningKeys
from identity.settings import Settings


class Exchange(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    customer_number: int = Field(ge=1, le=2**63 - 1)


class ExchangeAnswer(TokenAnswer):
    customer_id: UUID


_bearer = HTTPBearer(auto_error=False, description="The key that the facade shares")


def routers(accounts: Accounts, keys: SigningKeys, settings: Settings) -> list[APIRouter]:
    """One route, or without a key none."""
    if settings.exchange_key is None:
        return []
    key = SharedKey.mounted(settings, "exchange_key")
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)

    @routes.post("/exchanges")
    async def exchange(
        body: Exchange,
        sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        response: Response,
    ) -> ExchangeAnswer:
        """A token of the customer with this number; 404 while there is none, as until a new one has been heard of."""
        if sent is None or not key.is_shown_by(sent.credentials):
            raise ProblemError(UNAUTHENTICATED, "Send the exchange key", {"WWW-Authenticate": "Bearer"})
        account = await accounts.customer_numbered(body.customer_number)
        response.headers["Cache-Control"] = "no-store"
        return ExchangeAnswer(access_token=await keys.issue(account), customer_id=account.id)

    return [routes]
