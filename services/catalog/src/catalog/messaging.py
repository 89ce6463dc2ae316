"""Messages of catalog: it tells of changed books, and listens to nobody."""

from collections.abc import Mapping

from pydantic import BaseModel

from catalog.domain import BookChanged
from chassis.messages import Message

BOOK_CHANGED = "shop.catalog.book-changed.v1"

PRODUCES: tuple[str, ...] = (BOOK_CHANGED,)
CONSUMES: Mapping[str, type[BaseModel]] = {}


def to_message(event: BookChanged) -> Message:
    """The event as it goes out; consumers keep the newest by `version`."""
    price = {"amount": event.price.amount, "currency": event.price.currency}
    content = {"isbn": event.isbn, "title": event.title, "price": price, "version": event.version}
    return Message.new(BOOK_CHANGED, event.isbn, event.version, content)
