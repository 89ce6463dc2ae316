"""The card processor, over HTTP. Every charge opens a connection of its own."""

import http.client
import json
import logging
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from legacy.errors import CardProcessorDown

# After a lost answer the same question is asked once more: the key keeps it from being a second charge.
_TRIES = 2
_KEY_REUSED = "urn:banyan:problem:idempotency-key-reused"
_log = logging.getLogger(__name__)


class CardProcessor:
    """Charges cards. `timeout` is in seconds, for each read and write."""

    def __init__(self, url: str, api_key: str, timeout: float) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._address = parts.netloc
        self._path = f"{parts.path.rstrip('/')}/v1/charges"
        self._api_key = api_key
        self._timeout = timeout

    def charge(self, order: int, amount: Decimal, card: str) -> str | None:
        """The processor's reference, or None when the card is declined; raises `CardProcessorDown`."""
        body = json.dumps({"amount": int(amount * 100), "currency": "EUR", "card_token": card})
        status, found = self._post(f"legacy-{order}", body)
        if status == 201 and found.get("state") == "charged":
            return str(found["id"])
        refused = status == 422 and found.get("type") != _KEY_REUSED  # no card that it knows
        if refused or (status == 201 and found.get("state") == "declined"):
            return None
        _log.error("the card processor answered order %d with %d", order, status)
        raise CardProcessorDown

    def _post(self, key: str, body: str) -> tuple[int, dict[str, Any]]:
        for tried in range(1, _TRIES + 1):
            try:
                return self._send(key, body)
            except (OSError, http.client.HTTPException, ValueError) as error:
                _log.warning("try %d of charge %s failed: %r", tried, key, error)
        raise CardProcessorDown

    def _send(self, key: str, body: str) -> tuple[int, dict[str, Any]]:
        connection = self._connection(self._address, timeout=self._timeout)
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        try:
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
            return answer.status, found if isinstance(found, dict) else {}
        finally:
            connection.close()
