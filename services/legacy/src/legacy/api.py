"""The JSON API for partners: always 200, and whether it went well stands in `ok`."""

from typing import Any

from flask import Blueprint, Response, request

from legacy import render
from legacy.accounts import Accounts
from legacy.db import Row
from legacy.errors import BadRequest, LoginFailed, ShopError
from legacy.forms import printable, whole_number
from legacy.shop import REFUSED, Item, Shop

DEFAULT_COUNT, MAX_COUNT = 20, 100
MAX_ITEMS, MAX_QUANTITY = 20, 100


def routes(shop: Shop, accounts: Accounts) -> Blueprint:
    """All of `/legacy/api`."""
    api = Blueprint("api", __name__, url_prefix="/legacy/api")

    @api.errorhandler(ShopError)
    def failed(error: ShopError) -> Response:
        return _json(render.error(str(error)))

    _add_products(api, shop)
    _add_orders(api, shop, accounts)
    _add_accounts(api, accounts)
    return api


def _add_products(api: Blueprint, shop: Shop) -> None:
    @api.get("/products")
    def products() -> Response:
        start = whole_number(request.args.get("start"), 0)
        count = min(max(whole_number(request.args.get("count"), DEFAULT_COUNT), 1), MAX_COUNT)
        found, following = shop.products(start, count, printable(request.args.get("q", "")))
        return _json(render.answer(products=found, next=following))

    @api.get("/products/<int:number>")
    def product(number: int) -> Response:
        return _json(render.answer(product=shop.product(number)))


def _add_orders(api: Blueprint, shop: Shop, accounts: Accounts) -> None:
    @api.post("/orders")
    def place_order() -> Response:
        customer = _customer(accounts)
        items, card = _wanted(_body())
        order = shop.place_order(customer["id"], items, card)
        declined = order["status"] == REFUSED
        return _json(render.error("card declined", order=order) if declined else render.answer(order=order))

    @api.get("/orders")
    def orders() -> Response:
        return _json(render.answer(orders=shop.orders(_customer(accounts)["id"])))

    @api.get("/orders/<int:number>")
    def order(number: int) -> Response:
        return _json(render.answer(order=shop.order(_customer(accounts)["id"], number)))


def _add_accounts(api: Blueprint, accounts: Accounts) -> None:
    @api.get("/me")
    def me() -> Response:
        return _json(render.answer(customer=render.customer(_customer(accounts))))

    @api.post("/register")
    def register() -> Response:
        body = _body()
        email, name, password = (_text(body, key) for key in ("email", "name", "password"))
        return _json(render.answer(customer=render.customer(accounts.register(email, name, password))))


def _json(text: str) -> Response:
    return Response(text, mimetype="application/json")


def _customer(accounts: Accounts) -> Row:
    sent = request.authorization
    if sent is None or sent.type != "basic":
        raise LoginFailed
    return accounts.log_in(sent.username or "", sent.password or "")


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise BadRequest
    return body


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadRequest
    return value


def _wanted(body: dict[str, Any]) -> tuple[list[Item], str]:
    """What the body of an order asks for; each product once."""
    listed = body.get("items")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_ITEMS:
        raise BadRequest
    items = [_item(each) for each in listed]
    if len({product for product, _ in items}) < len(items):
        raise BadRequest
    return items, _text(body, "card")


def _item(value: Any) -> Item:
    found = (value.get("id"), value.get("qty")) if isinstance(value, dict) else (None, None)
    match found:
        case (int(product), int(quantity)) if product >= 1 and 1 <= quantity <= MAX_QUANTITY:
            if not isinstance(product, bool) and not isinstance(quantity, bool):
                return product, quantity
    raise BadRequest
