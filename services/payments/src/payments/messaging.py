"""Messages in and out of payments: names on the wire, what is read of foreign messages, and who handles them."""

from collections.abc import Mapping
from dataclasses import asdict
from uuid import UUID

from pydantic import BaseModel

from chassis.consumer import Handler, Retry
from chassis.messages import Heard, Message
from payments.application import Payments
from payments.domain import CardCharged, CardDeclined, CardRefunded, Overtaken, PaymentEvent

CHARGE_CARD = "shop.orders.charge-card.v1"
REFUND_CARD = "shop.orders.refund-card.v1"
READ_AGAIN = 0.2

_EVENTS: Mapping[type[PaymentEvent], str] = {
    CardCharged: "shop.payments.card-charged.v1",
    CardDeclined: "shop.payments.card-declined.v1",
    CardRefunded: "shop.payments.card-refunded.v1",
}


class ChargeCardData(Heard):
    order_id: UUID
    customer_id: UUID
    amount: int
    currency: str
    card_token: str


class RefundCardData(Heard):
    order_id: UUID


CONSUMES: Mapping[str, type[BaseModel]] = {CHARGE_CARD: ChargeCardData, REFUND_CARD: RefundCardData}
PRODUCES: tuple[str, ...] = tuple(_EVENTS.values())


def to_message(event: PaymentEvent) -> Message:
    """The message that tells of an event."""
    data = asdict(event)
    version = data.pop("version")
    return Message.new(_EVENTS[type(event)], str(event.order_id), version, data)


def handlers(payments: Payments) -> Mapping[str, Handler]:
    """Subject to handler, for the consumer."""

    async def on_charge_card(message: Message) -> None:
        data = ChargeCardData.model_validate(message.data)
        await payments.charge_card(
            data.order_id, data.customer_id, data.amount, data.currency, data.card_token, message.id
        )

    async def on_refund_card(message: Message) -> None:
        data = RefundCardData.model_validate(message.data)
        await payments.refund_card(data.order_id, message.id)

    return {CHARGE_CARD: _read_again(on_charge_card), REFUND_CARD: _read_again(on_refund_card)}


def _read_again(handler: Handler) -> Handler:
    async def handle(message: Message) -> None:
        try:
            await handler(message)
        except Overtaken as error:
            raise Retry(READ_AGAIN, str(error)) from error

    return handle
