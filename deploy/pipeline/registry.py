"""An image goes to the registry in three steps: its bytes, its signature, and last its tag, which never moves.

Until then it can be had only by its digest: what has a tag was tested, scanned and signed.
"""

import re
from dataclasses import dataclass

from deploy.delivery.signature import ISSUER
from deploy.pipeline.tools import Failed, Run

ABSENT = re.compile(r"manifest unknown|name unknown|not found|404", re.IGNORECASE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Repository:
    """The images of one service: `ghcr.io/banyan-shop/orders`."""

    name: str
    run: Run

    def push(self, folder: str, digest: str) -> None:
        """All platforms and what is attached to them, byte by byte."""
        self._copy(f"oci:{folder}", f"docker://{self.name}@{digest}")

    def sign(self, digest: str, signer: str) -> None:
        """By the identity of the workflow that this runs in; then verified by that name, as everybody will ask for it.
        Raises `Failed` where it is another's: no tag follows a signature that nobody could verify."""
        signed = f"{self.name}@{digest}"
        self.run(("cosign", "sign", "--yes", signed))
        identity = ("--certificate-identity", signer, "--certificate-oidc-issuer", ISSUER)
        self.run(("cosign", "verify", *identity, signed))

    def tag(self, digest: str, tag: str) -> None:
        """Give it a name, once; the same name for other bytes is refused."""
        held = self.digest(tag)
        if held not in (None, digest):
            raise Failed(f"{self.name}:{tag} is {held} already, and a tag never moves")
        if held is None:
            self._copy(f"docker://{self.name}@{digest}", f"docker://{self.name}:{tag}")

    def tags(self) -> set[str]:
        """All of them; none where nothing was ever pushed."""
        try:
            listed = self.run(("skopeo", "list-tags", *self._insecure(""), f"docker://{self.name}"))
        except Failed as failure:
            if ABSENT.search(str(failure)):
                return set()
            raise
        return set(re.findall(r'"([0-9a-f]{12})"', listed))

    def digest(self, tag: str) -> str | None:
        """What a tag stands for, or nothing."""
        asked = ("skopeo", "inspect", *self._insecure(""), "--format", "{{.Digest}}", f"docker://{self.name}:{tag}")
        try:
            answer = self.run(asked).strip()
        except Failed as failure:
            if ABSENT.search(str(failure)):
                return None
            raise
        if not DIGEST.fullmatch(answer):
            raise Failed(f"{self.name}:{tag}: the registry's answer is no digest: {answer!r}")
        return answer

    def _copy(self, source: str, target: str) -> None:
        insecure = (*self._insecure("src-"), *self._insecure("dest-"))
        self.run(("skopeo", "copy", "--all", "--preserve-digests", *insecure, source, target))

    def _insecure(self, side: str) -> tuple[str, ...]:
        # A registry of this machine has no certificate, and needs none.
        local = self.name.startswith(("localhost:", "127.0.0.1:"))
        return (f"--{side}tls-verify=false",) if local else ()
