"""The old shop's catalogue over catalog and inventory: lists, searches, books."""

from facade.adapters import forms, render
from facade.adapters.api import told
from facade.adapters.errors import NoSuchProduct
from facade.adapters.pages import Pages, Visit, page
from facade.adapters.render import Values
from facade.adapters.routes import Routes
from facade.legacy_http import LegacyRequest, LegacyResponse
from facade.ports import SeededBug
from facade.shop_clients.books import Book, CatalogClient, InventoryClient

DEFAULT_COUNT, MAX_COUNT = 20, 100
PAGE_LENGTH = 20
PRICE_ROUNDING = "price-rounding"


class Shelves:
    """Books with what is left of them, as the old shop lists them. `seeded` is there to be found by the mirror."""

    def __init__(self, catalog: CatalogClient, inventory: InventoryClient, seeded: SeededBug) -> None:
        self._catalog = catalog
        self._inventory = inventory
        self._seeded = seeded

    async def products(self, start: int, count: int, words: str) -> tuple[list[Values], int | None]:
        """Up to `count` products after a number, and the number to go on after, if there are more."""
        found = await self._catalog.page(start, count, words)
        available = await self._inventory.available(book.isbn for book in found.items) if found.items else {}
        products = [self._product(book, available.get(book.isbn, 0)) for book in found.items]
        return products, (products[-1]["id"] if found.more else None)

    async def product(self, number: int) -> Values:
        """One product; raises `NoSuchProduct`."""
        book = await self._catalog.book(number)
        if book is None:
            raise NoSuchProduct
        available = await self._inventory.available([book.isbn])
        return self._product(book, available.get(book.isbn, 0))

    def _product(self, book: Book, available: int) -> Values:
        product = render.product(book, available)
        if self._seeded.bug == PRICE_ROUNDING:
            product["price"] = render.price((book.price + 50) // 100 * 100)
        return product


class CatalogAdapter(Routes):
    """An `Upstream` for all addresses of the catalogue."""

    def __init__(self, shelves: Shelves, pages: Pages) -> None:
        self._shelves = shelves
        super().__init__(
            {
                "/legacy/": {"GET": pages.shown(self._browse)},
                "/legacy/search": {"GET": pages.shown(self._search)},
                "/legacy/book/{id}": {"GET": pages.shown(self._book)},
                "/legacy/api/products": {"GET": told(self._products)},
                "/legacy/api/products/{id}": {"GET": told(self._product)},
            }
        )

    async def _browse(self, visit: Visit) -> LegacyResponse:
        return await self._listed(visit, "All books", "/legacy/", "")

    async def _search(self, visit: Visit) -> LegacyResponse:
        words = forms.printable(forms.query(visit.request).get("q", ""))
        return await self._listed(visit, f'Books with "{words}"', "/legacy/search", words)

    async def _listed(self, visit: Visit, title: str, path: str, words: str) -> LegacyResponse:
        start = forms.whole_number(forms.query(visit.request).get("start"), 0)
        products, following = await self._shelves.products(start, PAGE_LENGTH, words)
        values: Values = {"products": products, "start": start, "next": following, "path": path}
        return page(visit.session, "list.html", title, query=words, **values)

    async def _book(self, visit: Visit) -> LegacyResponse:
        product = await self._shelves.product(visit.number)
        return page(visit.session, "book.html", product["title"], product=product)

    async def _products(self, request: LegacyRequest, _: int) -> LegacyResponse:
        sent = forms.query(request)
        start = forms.whole_number(sent.get("start"), 0)
        count = min(max(forms.whole_number(sent.get("count"), DEFAULT_COUNT), 1), MAX_COUNT)
        found, following = await self._shelves.products(start, count, forms.printable(sent.get("q", "")))
        return render.answer(products=found, next=following)

    async def _product(self, _: LegacyRequest, number: int) -> LegacyResponse:
        return render.answer(product=await self._shelves.product(number))
