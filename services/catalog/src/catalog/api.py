"""HTTP in: the public catalogue, and its operators' changes."""

from collections.abc import Mapping
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from catalog.application import Catalog
from catalog.domain import Book, BookExists, BookUnknown, Description, Money, Position, VersionMismatch, is_isbn13
from chassis import conditional, cursors, errors
from chassis.auth import Authenticate
from chassis.conditional import PRECONDITION_FAILED, IfMatch, IfNoneMatch
from chassis.errors import Problem

PROBLEMS: Mapping[type[Exception], Problem] = {
    BookUnknown: errors.NOT_FOUND,
    BookExists: PRECONDITION_FAILED,
    VersionMismatch: PRECONDITION_FAILED,
}


def _isbn13(text: str) -> str:
    if not is_isbn13(text):
        raise ValueError("not an ISBN-13: thirteen digits from 978 or 979 on, the last of them a check digit")
    return text


Isbn = Annotated[str, Field(pattern="^97[89][0-9]{10}$", examples=["9799001000010"]), AfterValidator(_isbn13)]
LARGEST_NUMBER = 2**63 - 1
LARGEST_AMOUNT = 99_999_999  # the old shop's column, to which each price goes, holds no more than 999,999.99
Words = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]


class MoneyModel(BaseModel):
    """`amount` in minor units. The shop sells in one currency: an order adds up its lines."""

    model_config = ConfigDict(extra="forbid", strict=True)

    amount: int = Field(ge=1, le=LARGEST_AMOUNT)
    currency: Literal["EUR"]

    def to_domain(self) -> Money:
        return Money(self.amount, self.currency)


class BookContent(BaseModel):
    """All of a book but its ISBN, which is in the address."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: Words
    author: Words
    year: int = Field(ge=-3000, le=3000)
    price: MoneyModel

    def description(self) -> Description:
        return Description(self.title, self.author, self.year)


class BookModel(BaseModel):
    """`number` is the old shop's name of a book; the new one goes by `isbn`."""

    isbn: str
    number: int
    title: str
    author: str
    year: int
    price: MoneyModel
    version: int


class BookPage(BaseModel):
    items: list[BookModel]
    next_cursor: str | None


class NumberedBooks(BaseModel):
    items: list[BookModel]
    more: bool


class PriceModel(BaseModel):
    isbn: str
    number: int
    title: str
    price: MoneyModel
    version: int


class Prices(BaseModel):
    items: list[PriceModel]


def router(catalog: Catalog, operator: Authenticate) -> APIRouter:
    """Routes of the catalogue. Reading is open to all; changing needs the role operator."""
    routes = APIRouter(prefix="/api/catalog", tags=["catalog"])
    _add_reads(routes, catalog)
    _add_numbered_reads(routes, catalog)
    _add_changes(routes, catalog, operator)
    return routes


def _add_reads(routes: APIRouter, catalog: Catalog) -> None:
    @routes.get(
        "/books/{isbn}",
        response_model=BookModel,
        responses=errors.responses(404) | {304: {"description": "The caller holds this version"}},
        openapi_extra=conditional.IF_NONE_MATCH,
    )
    async def read(isbn: Annotated[Isbn, Path()], request: Request) -> Response:
        """One book. Caches may keep it, and must ask each time whether it is still the same: prices are never stale."""
        book = await catalog.read(isbn)
        held = request.headers.get("if-none-match")  # a declared header costs a tenth of this route
        if held is not None and conditional.not_modified(held, book.version):
            return Response(status_code=304, headers=_validators(book))
        return _json(_document(book), headers=_validators(book))

    @routes.get("/books", response_model=BookPage, responses=errors.responses())
    async def search(
        q: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="words of title or author")] = "",
        cursor: cursors.Cursor = None,
        limit: cursors.Limit = 20,
    ) -> Response:
        """Books with all the words, the best match first; without `q` all books by title. A word may be unfinished."""
        query = q.strip()
        after = Position(*cursors.decode(query, cursor, int, str, str)) if cursor is not None else None
        page = await catalog.search(query or None, after, limit)
        end = page.end
        following = cursors.encode(query, end.rank, end.title, end.isbn) if end else None
        return _json({"items": [_document(book) for book in page.books], "next_cursor": following})

    @routes.get("/prices", response_model=Prices, responses=errors.responses())
    async def prices(isbn: Annotated[list[Isbn], Query(min_length=1, max_length=50)]) -> Response:
        """Prices of up to 50 books at once; unknown ones are absent."""
        return _json({"items": [_price(book) for book in await catalog.read_many(isbn)]})


def _add_numbered_reads(routes: APIRouter, catalog: Catalog) -> None:
    """The order and the names of the old shop, for whoever speaks to its customers."""

    @routes.get("/numbers", response_model=NumberedBooks, responses=errors.responses())
    async def listed(
        after: Annotated[int, Query(ge=0, le=LARGEST_NUMBER)] = 0,
        limit: cursors.Limit = 20,
        contains: Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$", description="of title or author")] = "",
    ) -> Response:
        """Books with numbers above `after`, by number. `contains` is text as it stands: no words, no wildcards."""
        page = await catalog.list_numbered(after, limit, contains)
        return _json({"items": [_document(book) for book in page.books], "more": page.more})

    @routes.get("/numbers/{number}", response_model=BookModel, responses=errors.responses(404))
    async def read_numbered(number: Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]) -> Response:
        """One book by its number."""
        book = await catalog.read_numbered(number)
        return _json(_document(book), headers=_validators(book))


def _add_changes(routes: APIRouter, catalog: Catalog, operator: Authenticate) -> None:
    refusals = errors.responses(401, 403, 404, 412, 428)

    @routes.put(
        "/books/{isbn}",
        response_model=BookModel,
        responses=refusals | {201: {"model": BookModel, "description": "The book is new"}},
        dependencies=[Depends(operator)],
    )
    async def put(
        isbn: Annotated[Isbn, Path()],
        content: BookContent,
        if_match: IfMatch = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Add a book (`If-None-Match: *`), or replace the version last read (`If-Match`)."""
        description, price = content.description(), content.price.to_domain()
        if conditional.creates(if_match, if_none_match):
            book = await catalog.add(isbn, description, price)
            headers = _validators(book) | {"Location": f"{routes.prefix}/books/{isbn}"}
            return _json(_document(book), 201, headers)
        book = await catalog.revise(isbn, conditional.versions(if_match), description, price)
        return _json(_document(book), headers=_validators(book))

    @routes.put("/books/{isbn}/price", response_model=BookModel, responses=refusals, dependencies=[Depends(operator)])
    async def put_price(isbn: Annotated[Isbn, Path()], price: MoneyModel, if_match: IfMatch = None) -> Response:
        """Change the price of the version last read."""
        book = await catalog.change_price(isbn, conditional.versions(if_match), price.to_domain())
        return _json(_document(book), headers=_validators(book))


def _validators(book: Book) -> dict[str, str]:
    return {"ETag": conditional.etag(book.version), "Cache-Control": "public, no-cache"}


def _price(book: Book) -> dict[str, object]:
    price = {"amount": book.price.amount, "currency": book.price.currency}
    return {
        "isbn": book.isbn,
        "number": book.number,
        "title": book.description.title,
        "price": price,
        "version": book.version,
    }


def _document(book: Book) -> dict[str, object]:
    return {**_price(book), "author": book.description.author, "year": book.description.year}


def _json(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(document), status, headers, "application/json")
