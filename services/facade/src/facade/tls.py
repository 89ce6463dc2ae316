"""The facade's certificate for the way to the old shop, where a sidecar before it asks for one."""

import ssl


def context(authority: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    """Out of three files in PEM; None where there are none. Only who is signed by `authority` is believed to be there.

    Read once: a certificate that was renewed counts from the next start.
    """
    if authority is None or certificate is None or key is None:
        return None
    made = ssl.create_default_context(cafile=authority)
    made.load_cert_chain(certificate, key)
    return made
