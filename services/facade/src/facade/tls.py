"""The facade's certificate for the way to the old shop, where a sidecar before it asks for one."""

import ssl
import time
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)
LOOK_SECONDS = 10.0


class Certificate:
    """Three files in PEM, read again when they have changed. Only who is signed by `authority` is believed to be there.

    A new context rather than the old one loaded again: that one would go on to believe the authority before.
    """

    def __init__(self, authority: str, certificate: str, key: str, look_seconds: float = LOOK_SECONDS) -> None:
        self._files = [Path(each) for each in (authority, certificate, key)]
        self._look_seconds = look_seconds
        self._look_at = time.monotonic() + look_seconds
        self._content = self._read()
        self._context = self._made()

    def context(self) -> ssl.SSLContext:
        """For the connections that are made from now on; it is the same one as long as the files are."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + self._look_seconds
            self._look()
        return self._context

    def _look(self) -> None:
        try:
            if (content := self._read()) == self._content:
                return
            self._context, self._content = self._made(), content
        except OSError as error:  # of which an SSLError is one: half of the files are new, the others will be
            log.warning("certificate.unusable", reason=str(error))
        else:
            log.info("certificate.renewed")

    def _read(self) -> list[bytes]:
        return [file.read_bytes() for file in self._files]

    def _made(self) -> ssl.SSLContext:
        authority, certificate, key = self._files
        made = ssl.create_default_context(cafile=authority)
        made.load_cert_chain(certificate, key)
        return made


def of_files(authority: str | None, certificate: str | None, key: str | None) -> Certificate | None:
    """The certificate in these files; None where there are none."""
    if authority is None or certificate is None or key is None:
        return None
    return Certificate(authority, certificate, key)
