"""Both sides, put together twice: for customers, and for the mirror with connections and breakers of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.lifecycle import Part
from chassis.shared_key import SharedKey
from facade import proxy, shadow, tls
from facade.adapters import adapt
from facade.adapters.session import Sessions
from facade.domain import Capability, Stage
from facade.legacy_client import LegacyClient
from facade.ports import Placed, Upstream
from facade.routing import Area
from facade.settings import Settings
from facade.shop_clients import Addresses, connect
from facade.stages import StandingsWatch

# Below the gateway's fifteen seconds: who has sent an order is told what became of it, or that nobody knows.
LEGACY_SECONDS, LEGACY_CONNECTIONS = 12.0, 64
MIRROR_SECONDS, MIRROR_CONNECTIONS = 2.0, 8


class NothingPlaced:
    """The `Placed` of the mirror, which asks for quotes only."""

    async def placed(self, number: int) -> None:
        raise AssertionError("the mirror has placed an order")


@dataclass(frozen=True)
class BothSides:
    """As customers see them, and as the mirror does; `parts` are the connections."""

    customers: proxy.Sides
    mirror: shadow.Sides
    parts: Sequence[Part]


def connected(settings: Settings, sessions: Sessions, watch: StandingsWatch, placed: Placed) -> BothSides:
    """Everything that answers in the old shop's contract."""
    key = SharedKey.mounted(settings, "exchange_key")
    addresses = Addresses(settings.catalog_url, settings.inventory_url, settings.orders_url, settings.identity_url)
    certificate = tls.of_files(settings.legacy_ca, settings.legacy_certificate, settings.legacy_key)
    context = certificate.context if certificate else None

    def old(name: str, seconds: float, connections: int) -> LegacyClient:
        return LegacyClient(name, settings.legacy_url, seconds=seconds, connections=connections, tls=context)

    def unless_retired(legacy: Upstream) -> Upstream | None:
        return None if all(watch.of(each).stage is Stage.RETIRED for each in Capability) else legacy

    legacy = old("legacy", LEGACY_SECONDS, LEGACY_CONNECTIONS)
    mirrored = old("mirror-legacy", MIRROR_SECONDS, MIRROR_CONNECTIONS)
    shop, copy = connect(addresses, key), connect(addresses, key, purpose="mirror", timeout=MIRROR_SECONDS)
    new = adapt(shop, sessions, legacy=legacy, old_shop=lambda: unless_retired(legacy), placed=placed, seeded=watch)
    seen = adapt(
        copy,
        sessions,
        legacy=mirrored,
        old_shop=lambda: unless_retired(mirrored),
        placed=NothingPlaced(),
        seeded=watch,
        mirror=True,
    )
    answers = {Capability.CATALOG: seen.areas[Area.CATALOG], Capability.ORDERS: seen.areas[Area.ORDERS]}
    return BothSides(
        proxy.Sides(legacy, new.areas),
        shadow.Sides(mirrored, answers, seen.quotes),
        [legacy, mirrored, *shop.parts, *copy.parts],
    )
