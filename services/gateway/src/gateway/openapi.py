"""One OpenAPI document out of those of the upstreams: fetched beside the traffic, kept, and limited to public paths."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
import structlog

from gateway.pool import Pool
from gateway.upstream import UpstreamError

log = structlog.get_logger(__name__)
Document = dict[str, Any]

FETCH_SECONDS = 2.0
FRESH_SECONDS = 60.0
_COMPONENT = re.compile(rb'"#/components/(\w+)/')


class MergedOpenApi:
    """`refresh` is to be called every few seconds; `document` is what is known so far.

    Names of components get the upstream's name in front, so that two services may both have a `Book`.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        is_public: Callable[[str], bool],
        version: str,
        clock: Callable[[], float],
    ) -> None:
        self._pools = pools
        self._is_public = is_public
        self._version = version
        self._clock = clock
        self._fetched: dict[str, tuple[float, Document]] = {}
        self._missing: set[str] = set(pools)
        self._merged: bytes | None = None

    async def refresh(self) -> None:
        """Fetch the documents that are missing or older than a minute."""
        now = self._clock()
        due = [n for n in self._pools if n not in self._fetched or now - self._fetched[n][0] >= FRESH_SECONDS]
        for name, document in zip(due, await asyncio.gather(*map(self._fetch, due)), strict=True):
            if document is None:
                self._missing.add(name)
            else:
                self._missing.discard(name)
                self._fetched[name] = (now, document)
        if due:
            self._merged = None

    def document(self) -> bytes:
        """The merged document as JSON; `x-unavailable` lists the upstreams that do not answer."""
        if self._merged is None:
            self._merged = orjson.dumps(self._merge())
        return self._merged

    async def _fetch(self, name: str) -> Document | None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                status, body = await self._pools[name].get("/openapi.json")
            return _prefixed(body, name) if status == 200 else None
        except (UpstreamError, TimeoutError, ValueError) as error:
            log.debug("openapi.unavailable", upstream=name, reason=repr(error))
            return None

    def _merge(self) -> Document:
        paths: Document = {}
        components: Document = {}
        for name in sorted(self._fetched):
            document = self._fetched[name][1]
            for path, operations in document.get("paths", {}).items():
                if self._is_public(path):
                    paths[path] = _tagged(operations, name)
            for kind, members in document.get("components", {}).items():
                components.setdefault(kind, {}).update({f"{name}.{key}": value for key, value in members.items()})
        return {
            "openapi": "3.1.0",
            "info": {"title": "Banyan", "version": self._version},
            "tags": [{"name": name} for name in sorted(self._fetched)],
            "paths": paths,
            "components": components,
            "x-unavailable": sorted(self._missing),
        }


def _prefixed(body: bytes, name: str) -> Document:
    document = orjson.loads(_COMPONENT.sub(rb'"#/components/\1/' + name.encode() + b".", body))
    if not isinstance(document, dict):
        raise ValueError("not an OpenAPI document")  # noqa: TRY004 - wrong input, not a wrong call
    return document


def _tagged(operations: Document, name: str) -> Document:
    tagged: Document = {}
    for method, operation in operations.items():
        if isinstance(operation, dict):
            security = [{f"{name}.{key}": scopes for key, scopes in s.items()} for s in operation.get("security", [])]
            operation = {**operation, "tags": [name], "operationId": f"{name}.{operation.get('operationId', method)}"}
            if security:
                operation["security"] = security
        tagged[method] = operation
    return tagged
