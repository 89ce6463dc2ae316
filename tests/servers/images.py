"""The images of the tests' servers, pinned here; POSTGRES_IMAGE and NATS_IMAGE name others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

POSTGRES_IMAGE = "postgres:18-trixie@sha256:86c951e05bf56c93d95d397747fb8820ac76cc3bedb78f43abd83eedbe3666ae"
NATS_IMAGE = "nats:2.12-alpine@sha256:b270f5e2428354c0335612694d7dd2fb588148e567a5757fdff325ef9c9332e6"


@dataclass(frozen=True)
class Images:
    """One image for each server."""

    postgres: str = POSTGRES_IMAGE
    nats: str = NATS_IMAGE

    @classmethod
    def named_in(cls, environ: Mapping[str, str]) -> "Images":
        """Those that the environment names, the pinned ones for the rest."""
        return cls(environ.get("POSTGRES_IMAGE") or POSTGRES_IMAGE, environ.get("NATS_IMAGE") or NATS_IMAGE)

    def __iter__(self) -> Iterator[str]:
        return iter((self.postgres, self.nats))

    def __str__(self) -> str:
        """Without the digests, for people."""
        return ", ".join(image.partition("@")[0] for image in self)
