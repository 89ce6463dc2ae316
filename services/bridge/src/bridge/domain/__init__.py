"""The two languages: what a row of the old shop means in the new shop's words, and back. Standard library only."""

from bridge.domain.changes import Change, tell
from bridge.domain.shop import ProductUnknown, ShopBook, ShopLine, ShopOrder
from bridge.domain.told import BookTold, CustomerTold, LegacyLine, LegacyOrder, OrderTold, StockTold, Told
from bridge.domain.values import (
    CANCELLED,
    CONFIRMED,
    FIRST_OF_SHOP,
    LEGACY,
    SHOP,
    legacy_id,
    message_id,
    money,
    to_decimal,
    to_local,
    to_minor,
    to_utc,
)

__all__ = [
    "CANCELLED",
    "CONFIRMED",
    "FIRST_OF_SHOP",
    "LEGACY",
    "SHOP",
    "BookTold",
    "Change",
    "CustomerTold",
    "LegacyLine",
    "LegacyOrder",
    "OrderTold",
    "ProductUnknown",
    "ShopBook",
    "ShopLine",
    "ShopOrder",
    "StockTold",
    "Told",
    "legacy_id",
    "message_id",
    "money",
    "tell",
    "to_decimal",
    "to_local",
    "to_minor",
    "to_utc",
]
