"""Messages of identity: it tells nothing, and hears of the old shop's customers."""

from collections.abc import Callable, Mapping
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from chassis.consumer import Handler, Retry
from chassis.messages import Heard, Message
from identity.application import Accounts
from identity.domain import EmailTaken, LegacyCustomer, legacy_hash

LEGACY_CUSTOMER_CHANGED = "shop.bridge.legacy-customer-changed.v1"

PRODUCES: tuple[str, ...] = ()


class LegacyCustomerChanged(Heard):
    """A customer of the old shop, whole, at the change `version`; `password_sealed` opens to "<salt>$<sha1 in hex>"."""

    customer_id: UUID
    number: Annotated[int, Field(ge=1)]
    email: str
    name: str
    password_sealed: str = Field(repr=False)
    version: Annotated[int, Field(ge=1)]


CONSUMES: Mapping[str, type[BaseModel]] = {LEGACY_CUSTOMER_CHANGED: LegacyCustomerChanged}


def handlers(accounts: Accounts, unseal: Callable[[str], str]) -> Mapping[str, Handler]:
    """Subject to handler, for the consumer."""

    async def follow(message: Message) -> None:
        data = LegacyCustomerChanged.model_validate(message.data)
        salt, _, digest = unseal(data.password_sealed).rpartition("$")
        told = LegacyCustomer(
            data.customer_id, data.number, data.email, data.name, legacy_hash(salt, digest), data.version
        )
        try:
            await accounts.follow_legacy(told, message.id)
        except EmailTaken as error:
            raise Retry(1, "somebody took the address at this very moment") from error

    return {LEGACY_CUSTOMER_CHANGED: follow}
