"""What the old shop says when it refuses, word for word."""


class ShopError(Exception):
    """The shop refuses; the text is for the customer."""


class BadRequest(ShopError):
    """Something is missing, or is not what it should be."""

    def __init__(self) -> None:
        super().__init__("bad request")


class LoginFailed(ShopError):
    """No such customer, or another password."""

    def __init__(self) -> None:
        super().__init__("login failed")


class EmailTaken(ShopError):
    """Somebody has registered with this address."""

    def __init__(self) -> None:
        super().__init__("e-mail taken")


class NoSuchProduct(ShopError):
    """Not in the catalogue; `number` says which where there are several."""

    def __init__(self, number: int | None = None) -> None:
        super().__init__("no such product" if number is None else f"no such product {number}")


class NotEnoughStock(ShopError):
    """Fewer are left than are wanted."""

    def __init__(self, number: int) -> None:
        super().__init__(f"not enough stock of {number}")


class NoSuchOrder(ShopError):
    """Not there, or another customer's."""

    def __init__(self) -> None:
        super().__init__("no such order")


class CardProcessorDown(ShopError):
    """The card could not be charged, and nothing of the order is left."""

    def __init__(self) -> None:
        super().__init__("card processor down")


class FormExpired(ShopError):
    """A form that is not of this browser, or from before a logout."""

    def __init__(self) -> None:
        super().__init__("this form has expired")
