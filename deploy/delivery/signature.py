"""Whether our pipeline has signed an image: a signature counts by who made it, not by being there."""

import json
import os
import re

from deploy.delivery.asking import NOT_INSTALLED, Ask
from deploy.delivery.image import Image

ISSUER = "https://token.actions.githubusercontent.com"
# The reusable workflow, on the branch that is delivered: a fork's, or another branch's, is not it.
WORKFLOW = ".github/workflows/service.yml@refs/heads/main"
# Another owner or another name of the repository: SIGNER=https://github.com/<owner>/<repository>/.github/workflows/…
SIGNER = f"https://github.com/banyan-shop/banyan/{WORKFLOW}"
_NONE = re.compile(r"no (matching )?signatures(?! were valid)", re.IGNORECASE)


def state(image: Image, ask: Ask) -> str:
    """One line: signed by whom, not signed, or why that cannot be said."""
    if image.remote is None:
        return "not signed: local image, and only what a registry holds can be signed"
    signer = os.environ.get("SIGNER") or SIGNER
    identity = ("--certificate-identity", signer, "--certificate-oidc-issuer", ISSUER)
    answer = ask(("cosign", "verify", "--output", "json", *identity, image.remote))
    if answer.code == NOT_INSTALLED:
        return "not known: cosign is not installed (https://docs.sigstore.dev/cosign/system_config/installation)"
    if answer.good:
        return f"signed by {_subject(answer.out) or signer}"
    if _NONE.search(answer.err):
        return f"not signed by {signer}"
    return f"not known: {answer.complaint}"


def _subject(out: str) -> str | None:
    try:
        return str(json.loads(out)[0]["optional"]["Subject"])
    except (ValueError, LookupError, TypeError):
        return None
