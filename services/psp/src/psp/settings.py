"""Settings of psp."""

from pydantic import Field, SecretStr

from chassis.settings import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings):
    """From the environment and mounted secrets."""

    service_name: str = "psp"
    psp_api_key: SecretStr = Field(min_length=16, description="what the merchant sends as Bearer token")
