"""Settings of inventory."""

from pydantic import Field

from chassis.settings import BusSettings, DatabaseSettings, Seconds, ServiceSettings, TokenSettings


class Settings(ServiceSettings, DatabaseSettings, BusSettings, TokenSettings):
    """What the process needs to know."""

    service_name: str = "inventory"
    reservation_seconds: int = Field(default=900, ge=1, le=86_400, description="how long unfinished orders hold stock")
    sweep_seconds: Seconds = Field(default=5.0, description="pause between two looks for expired reservations")
