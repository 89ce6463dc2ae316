"""Settings of payments."""

from pydantic import Field, SecretStr

from chassis.settings import BusSettings, DatabaseSettings, Seconds, ServiceSettings, TokenSettings


class Settings(ServiceSettings, DatabaseSettings, BusSettings, TokenSettings):
    """From the environment and mounted secrets."""

    service_name: str = "payments"
    psp_url: str = Field(pattern=r"^https?://", description="where the card processor is")
    psp_api_key: SecretStr = Field(min_length=1, description="what the card processor knows us by")
    psp_timeout: Seconds = Field(default=1.0, description="after it the outcome of a call is unknown")
    psp_settle_seconds: Seconds = Field(default=3.0, description="how long a request may still be on its way")
