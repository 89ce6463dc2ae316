"""Settings of catalog."""

from chassis.settings import BusSettings, DatabaseSettings, ServiceSettings, TokenSettings


class Settings(ServiceSettings, DatabaseSettings, BusSettings, TokenSettings):
    """Read once at start; see the README for the table."""

    service_name: str = "catalog"
