"""The gateway's settings: where its upstreams are and how much it lets in."""

from typing import Annotated

from pydantic import Field

from chassis.settings import Seconds, ServiceSettings, TokenSettings
from gateway.routes import Rate

Upstream = Annotated[str, Field(pattern=r"^http://[A-Za-z0-9.\-]+:\d+$", description="http://host:port")]
Count = Annotated[int, Field(ge=1)]
PerSecond = Annotated[float, Field(gt=0, description="requests per second of one client; its burst is twice that")]


class Settings(ServiceSettings, TokenSettings):
    """All of them; names in the environment are upper case."""

    service_name: str = "gateway"
    upstream_identity: Upstream
    upstream_catalog: Upstream
    upstream_inventory: Upstream
    upstream_orders: Upstream
    upstream_payments: Upstream
    upstream_facade: Upstream

    max_connections: Count = 2048
    max_in_flight: Count = Field(default=512, description="beyond it requests are shed")
    max_in_flight_upstream: Count = Field(default=100, description="the bulkhead of each upstream")
    max_clients: Count = Field(default=50_000, description="clients whose rate is remembered")
    rate_read: PerSecond = 500
    rate_write: PerSecond = 200
    rate_credentials: PerSecond = 100

    header_bytes: Count = Field(default=32 * 1024, description="request line and headers")
    header_seconds: Seconds = Field(default=5, description="from the first byte to the end of the headers")
    body_seconds: Seconds = Field(default=10, description="to receive the whole body")
    idle_seconds: Seconds = Field(default=60, description="a kept-alive connection without a request")
    access_log_ratio: float = Field(default=1, ge=0, le=1, description="share of good answers that are logged")

    def rates(self) -> dict[Rate, float]:
        """Requests per second of one client, by class of rate."""
        return {Rate.READ: self.rate_read, Rate.WRITE: self.rate_write, Rate.CREDENTIALS: self.rate_credentials}

    def upstreams(self) -> dict[str, str]:
        """URL by upstream name."""
        prefix = "upstream_"
        return {k.removeprefix(prefix): v for k, v in self.model_dump().items() if k.startswith(prefix)}
