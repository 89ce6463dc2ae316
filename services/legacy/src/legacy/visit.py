"""What the browser's cookie says: who is logged in, the basket, the token of the forms. The server keeps none of it."""

import hmac
import secrets

from flask import session

MAX_BOOKS, MAX_QUANTITY = 20, 100


def log_in(customer: int, email: str) -> None:
    """From now on the browser is this customer's; the basket stays."""
    session["customer"] = customer
    session["email"] = email


def log_out() -> None:
    """Forget everything, the basket too."""
    session.clear()


def customer() -> int | None:
    """The id of whoever is logged in."""
    return session.get("customer")


def email() -> str | None:
    """The address of whoever is logged in."""
    return session.get("email")


def basket() -> dict[int, int]:
    """Quantity by id of the product."""
    return {int(product): quantity for product, quantity in session.get("basket", {}).items()}


def put_into_basket(product: int, quantity: int) -> bool:
    """So many of it from now on; none takes it out. False when the basket is full."""
    changed = {**basket(), product: quantity}
    if quantity == 0:
        del changed[product]
    if len(changed) > MAX_BOOKS:
        return False
    session["basket"] = {str(key): value for key, value in changed.items()}
    return True


def empty_basket() -> None:
    """After the purchase."""
    session.pop("basket", None)


def form_token() -> str:
    """What the forms of this browser carry, so that no other site can send them."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_hex(16)
    token: str = session["csrf"]
    return token


def is_form_token(sent: str) -> bool:
    """Whether a form is one of this browser's."""
    return hmac.compare_digest(sent.encode(errors="replace"), session.get("csrf", "").encode()) and bool(sent)
