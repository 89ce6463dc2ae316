"""Settings: the only reader of the environment and of mounted secrets, but for `probe`, which must stay light.

A service declares one frozen class out of the pieces below and calls `load`. A missing or wrong value ends the process
before anything has started, with the whole list, because one message with four lines beats four restarts.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
# In each class, since the last base's configuration wins. Deployment tools pass unset variables on as empty ones: an
# empty faults token would open the faults to everybody.
_CONFIG = SettingsConfigDict(frozen=True, extra="ignore", case_sensitive=False, env_ignore_empty=True)


class MountedSecrets(BaseSettings):
    """Secrets as files that change under a running process: Kubernetes swaps the folder when they are rotated."""

    model_config = _CONFIG

    secrets_dir: Path | None = Field(default=None, description="a folder with one file a secret")

    def now(self, name: str) -> str:
        """The secret as it is mounted at this moment; as it was at the start where there is no such file.

        For what is asked for seldom, as once a connection: it reads the file.
        """
        at_start: SecretStr = getattr(self, name)
        # The environment goes before the files, as at the start.
        if self.secrets_dir is not None and not os.environ.get(name.upper()):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                return (self.secrets_dir / name).read_text("utf-8").strip() or at_start.get_secret_value()
        return at_start.get_secret_value()


class ServiceSettings(MountedSecrets):
    """What every deployable has. Names in the environment are the fields' names in upper case."""

    model_config = _CONFIG

    service_name: str
    version: str = "0.1.0"
    commit: str = "unknown"
    host: str = "127.0.0.1"
    port: Port
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    otlp_endpoint: str | None = Field(default=None, description="OTLP over HTTP; unset: spans are not exported")
    trace_ratio: float = Field(default=1.0, ge=0, le=1, description="share of new traces that are sampled")
    drain_seconds: float = Field(default=1.0, ge=0, le=60, description="one probe period: not ready, still serving")
    grace_seconds: Seconds = Field(default=20.0, description="longest wait for work in flight at a stop")
    faults_token: SecretStr | None = Field(default=None, description="unset: fault injection does not exist")

    def origin(self) -> dict[str, str]:
        """Which code this process runs: what each of its log lines and `/healthz` say."""
        return {"service": self.service_name, "version": self.version, "commit": self.commit}


class DatabaseSettings(MountedSecrets):
    """The service's own database; the password is apart so that the URL can be logged."""

    model_config = _CONFIG

    database_url: str = Field(pattern=r"^postgresql://[^:@/]+@[^/@]+/\w+$", description="postgresql://role@host/db")
    database_password: SecretStr
    database_pool: int = Field(default=8, ge=1, le=100)


class BusSettings(MountedSecrets):
    """NATS JetStream. One stream carries the namespace; the producer's name is the second word of a subject."""

    model_config = _CONFIG

    nats_url: str = Field(pattern=r"^(nats|tls)://")
    nats_user: str | None = None
    nats_password: SecretStr | None = None
    namespace: str = Field(default="shop", pattern=r"^[a-z]+$")
    stream_replicas: int = Field(default=1, description="1, 3 or 5: on how many servers of a cluster a message lies")

    @field_validator("stream_replicas")
    @classmethod
    def _has_a_majority(cls, replicas: int) -> int:
        if replicas not in (1, 3, 5):
            raise ValueError("must be 1, 3 or 5: of an even number the loss of half stops the stream as well")
        return replicas

    @field_validator("nats_password")
    @classmethod
    def _goes_with_user(cls, password: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if "nats_user" in others.data and (others.data["nats_user"] is None) != (password is None):
            raise ValueError("goes with NATS_USER: set both or neither")
        return password


class IssuerSettings(BaseSettings):
    """Whose access tokens are believed, and for whom they must be meant."""

    token_issuer: str = "banyan-identity"  # noqa: S105 - a name
    token_audience: str = "banyan"  # noqa: S105 - a name


class TokenSettings(IssuerSettings):
    """The same, and where the issuer publishes its keys."""

    model_config = _CONFIG

    jwks_url: str = Field(pattern=r"^https?://")


S = TypeVar("S", bound=ServiceSettings)


def load(cls: type[S]) -> S:
    """Read `cls` from the environment and from the files in `SECRETS_DIR`; exit 2 with the list of what is wrong."""
    folder = os.environ.get("SECRETS_DIR")
    if folder is not None and not os.path.isdir(folder):
        _refuse([f"SECRETS_DIR: {folder!r} is not a folder; mount the secrets there or unset it"])
    options: dict[str, Any] = {"_secrets_dir": folder} if folder else {}
    try:
        return cls(**options)
    except ValidationError as error:
        _refuse([_explain(cls, detail) for detail in error.errors(include_input=False, include_url=False)])


def _explain(cls: type[BaseSettings], detail: Any) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else ""
    field = cls.model_fields.get(name)
    hint = f" ({field.description})" if field and field.description else ""
    if detail["type"] == "missing":
        return f"{name.upper()}: missing; set it in the environment or as a file {name} in SECRETS_DIR{hint}"
    return f"{name.upper()}: {detail['msg']}{hint}"


def _refuse(problems: list[str]) -> NoReturn:
    sys.stderr.write("settings are incomplete or wrong:\n" + "".join(f"  {problem}\n" for problem in problems))
    raise SystemExit(2)
