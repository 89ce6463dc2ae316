"""The pages: each is rendered here, and each form goes to the address that it came from."""

from decimal import Decimal
from typing import Any

from flask import Blueprint, Response, request

from legacy import render, visit
from legacy.accounts import Accounts
from legacy.errors import LoginFailed, NoSuchOrder, NoSuchProduct, ShopError
from legacy.forms import printable, whole_number
from legacy.shop import REFUSED, Item, Shop

PAGE_LENGTH = 20
_WITH_FORM = {"book.html", "basket.html", "checkout.html", "login.html", "register.html"}


class FormExpired(ShopError):
    """A form that is not of this browser, or from before a logout."""

    def __init__(self) -> None:
        super().__init__("this form has expired")


def _page(template: str, title: str, message: str = "", status: int = 200, query: str = "", **values: Any) -> Response:
    """A page with what the frame round it needs. Who only looks round gets no cookie."""
    customer = visit.email()
    token = visit.form_token() if customer or template in _WITH_FORM else ""
    text = render.page(
        template,
        title=title,
        message=message,
        query=query,
        customer=customer,
        basket_count=sum(visit.basket().values()),
        csrf=token,
        **values,
    )
    return Response(text, status, mimetype="text/html")


def _sorry(error: ShopError) -> str:
    return f"Sorry: {error}."


def _sent_to(address: str) -> Response:
    return Response(status=302, headers={"Location": address}, mimetype="text/html")


def routes(shop: Shop, accounts: Accounts) -> Blueprint:
    """All pages under `/legacy`."""
    pages = Blueprint("pages", __name__, url_prefix="/legacy")

    @pages.errorhandler(ShopError)
    def failed(error: ShopError) -> Response:
        status = 404 if isinstance(error, NoSuchProduct | NoSuchOrder) else 403
        return _page("message.html", "Sorry", _sorry(error), status)

    @pages.before_request
    def check_form() -> None:
        if request.method == "POST" and not visit.is_form_token(request.form.get("csrf", "")):
            raise FormExpired

    _add_catalogue(pages, shop)
    _add_basket(pages, shop)
    _add_checkout(pages, shop)
    _add_orders(pages, shop)
    _add_accounts(pages, accounts)
    return pages


def _add_catalogue(pages: Blueprint, shop: Shop) -> None:
    def listed(title: str, path: str, words: str) -> Response:
        start = whole_number(request.args.get("start"), 0)
        products, following = shop.products(start, PAGE_LENGTH, words)
        return _page("list.html", title, query=words, products=products, start=start, next=following, path=path)

    @pages.get("/")
    def browse() -> Response:
        return listed("All books", "/legacy/", "")

    @pages.get("/search")
    def search() -> Response:
        words = printable(request.args.get("q", ""))
        return listed(f'Books with "{words}"', "/legacy/search", words)

    @pages.get("/book/<int:number>")
    def book(number: int) -> Response:
        product = shop.product(number)
        return _page("book.html", product["title"], product=product)


def _basket_page(template: str, title: str, shop: Shop, message: str = "") -> Response:
    basket = visit.basket()
    rows = shop.products_of(basket)
    lines = [render.basket_line(row, basket[row["id"]]) for row in rows]
    total = render.price(sum((row["price"] * basket[row["id"]] for row in rows), Decimal(0)))
    return _page(template, title, message, lines=lines, total=total)


def _add_basket(pages: Blueprint, shop: Shop) -> None:
    @pages.get("/basket")
    def basket() -> Response:
        return _basket_page("basket.html", "Your basket", shop)

    @pages.post("/basket")
    def put_into_basket() -> Response:
        product = shop.product(whole_number(request.form.get("id"), 0))
        quantity = whole_number(request.form.get("qty"), visit.MAX_QUANTITY + 1)
        if quantity > visit.MAX_QUANTITY:
            return _basket_page("basket.html", "Your basket", shop, f"Sorry: at most {visit.MAX_QUANTITY} of a book.")
        if not visit.put_into_basket(product["id"], quantity):
            return _basket_page("basket.html", "Your basket", shop, "Sorry: the basket is full.")
        return _sent_to("/legacy/basket")


def _add_checkout(pages: Blueprint, shop: Shop) -> None:
    @pages.before_request
    def need_customer_and_basket() -> Response | None:
        if request.path != "/legacy/checkout":
            return None
        if visit.customer() is None:
            return _sent_to("/legacy/login")
        return None if visit.basket() else _sent_to("/legacy/basket")

    @pages.get("/checkout")
    def checkout() -> Response:
        return _basket_page("checkout.html", "Checkout", shop)

    @pages.post("/checkout")
    def buy() -> Response:
        return _buy(shop, visit.customer() or 0, sorted(visit.basket().items()), request.form.get("card", ""))


def _buy(shop: Shop, customer: int, items: list[Item], card: str) -> Response:
    try:
        order = shop.place_order(customer, items, card)
    except LoginFailed:
        visit.log_out()
        return _sent_to("/legacy/login")
    except ShopError as error:
        return _basket_page("checkout.html", "Checkout", shop, _sorry(error))
    if order["status"] == REFUSED:
        return _basket_page("checkout.html", "Checkout", shop, "Sorry: card declined.")
    visit.empty_basket()
    return _sent_to(f"/legacy/orders/{order['id']}")


def _add_orders(pages: Blueprint, shop: Shop) -> None:
    @pages.get("/orders")
    def orders() -> Response:
        customer = visit.customer()
        if customer is None:
            return _sent_to("/legacy/login")
        return _page("orders.html", "My orders", orders=shop.orders(customer))

    @pages.get("/orders/<int:number>")
    def order(number: int) -> Response:
        customer = visit.customer()
        if customer is None:
            return _sent_to("/legacy/login")
        return _page("order.html", f"Order {number}", order=shop.order(customer, number))


def _add_accounts(pages: Blueprint, accounts: Accounts) -> None:
    @pages.get("/login")
    def login_form() -> Response:
        return _page("login.html", "Log in", email="")

    @pages.post("/login")
    def login() -> Response:
        email = request.form.get("email", "")
        try:
            customer = accounts.log_in(email, request.form.get("password", ""))
        except ShopError as error:
            return _page("login.html", "Log in", _sorry(error), email=email)
        visit.log_in(customer["id"], customer["email"])
        return _sent_to("/legacy/basket" if visit.basket() else "/legacy/")

    @pages.get("/register")
    def register_form() -> Response:
        return _page("register.html", "Register", name="", email="")

    @pages.post("/register")
    def register() -> Response:
        email, name = request.form.get("email", ""), request.form.get("name", "")
        try:
            customer = accounts.register(email, name, request.form.get("password", ""))
        except ShopError as error:
            return _page("register.html", "Register", _sorry(error), name=name, email=email)
        visit.log_in(customer["id"], customer["email"])
        return _sent_to("/legacy/")

    @pages.post("/logout")
    def logout() -> Response:
        visit.log_out()
        return _sent_to("/legacy/")
