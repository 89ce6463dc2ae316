"""Catalog, as orders sees it."""

from collections.abc import Sequence

from pydantic import BaseModel, ValidationError

from chassis.breaker import BreakerOpen
from chassis.errors import DependencyUnavailable
from chassis.http_client import HttpClient
from orders.domain import CatalogUnavailable, Money, Price


class _Money(BaseModel):
    amount: int
    currency: str


class _Item(BaseModel):
    isbn: str
    title: str
    price: _Money
    version: int


class _Prices(BaseModel):
    items: list[_Item]


class HttpCatalog:
    """Asks catalog over HTTP, under a breaker: while catalog is down an order costs no time waiting for it."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def prices(self, isbns: Sequence[str]) -> list[Price]:
        """Current prices; unknown books are absent. Raises `CatalogUnavailable`."""
        try:
            answer = await self._http.request("GET", "/api/catalog/prices", params=[("isbn", isbn) for isbn in isbns])
            if answer.status_code != 200:
                raise CatalogUnavailable(f"catalog answered {answer.status_code}")
            items = _Prices.model_validate_json(answer.content).items
        except (DependencyUnavailable, BreakerOpen, ValidationError) as error:
            raise CatalogUnavailable(str(error)) from error
        return [Price(i.isbn, i.title, Money(i.price.amount, i.price.currency), i.version) for i in items]
