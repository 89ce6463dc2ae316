"""Messages of catalog: it tells of changed books, and hears of those that were changed in the old shop."""

from collections.abc import Mapping

from pydantic import BaseModel

from catalog.application import Catalog
from catalog.domain import BookChanged, BookExists, Description, LegacyBook, Money
from chassis.consumer import Handler, Retry
from chassis.messages import Heard, Message

LEGACY_BOOK_CHANGED = "shop.bridge.legacy-book-changed.v1"
BOOK_CHANGED = "shop.catalog.book-changed.v1"

PRODUCES: tuple[str, ...] = (BOOK_CHANGED,)


class Price(Heard):
    """Minor units, as everywhere here; the old shop has decimals."""

    amount: int
    currency: str


class LegacyBookChanged(Heard):
    """A book of the old shop, whole, at the change `version`."""

    number: int
    isbn: str
    title: str
    author: str
    year: int
    price: Price
    version: int

    def to_domain(self) -> LegacyBook:
        description = Description(self.title, self.author, self.year)
        price = Money(self.price.amount, self.price.currency)
        return LegacyBook(self.isbn, self.number, description, price, self.version)


CONSUMES: Mapping[str, type[BaseModel]] = {LEGACY_BOOK_CHANGED: LegacyBookChanged}


def to_message(event: BookChanged) -> Message:
    """The event as it goes out; consumers keep the newest by `version`."""
    content = {
        "isbn": event.isbn,
        "number": event.number,
        "title": event.description.title,
        "author": event.description.author,
        "year": event.description.year,
        "price": {"amount": event.price.amount, "currency": event.price.currency},
        "version": event.version,
        "origin": event.origin,
        "legacy_version": event.legacy_version,
    }
    return Message.new(BOOK_CHANGED, event.isbn, event.version, content)


def handlers(catalog: Catalog) -> Mapping[str, Handler]:
    """Subject to handler, for the consumer."""

    async def follow(message: Message) -> None:
        told = LegacyBookChanged.model_validate(message.data).to_domain()
        try:
            await catalog.follow_legacy(told, message.id)
        except BookExists as error:
            raise Retry(0.1, "the book was added meanwhile") from error

    return {LEGACY_BOOK_CHANGED: follow}
