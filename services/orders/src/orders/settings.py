"""Settings of orders."""

from pydantic import Field

from chassis.settings import BusSettings, DatabaseSettings, Seconds, ServiceSettings, TokenSettings


class Settings(ServiceSettings, DatabaseSettings, BusSettings, TokenSettings):
    """From the environment and mounted secrets."""

    service_name: str = "orders"
    catalog_url: str = Field(pattern=r"^https?://")
    catalog_timeout: Seconds = Field(default=0.8, description="of one try to ask for prices; there are two")
    saga_poll_seconds: Seconds = Field(default=1.0, description="how often overdue sagas are looked for")
