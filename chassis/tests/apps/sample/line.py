"""A line to a server that tests can cut without a word, as when a machine is lost, or speak on in its place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Line:
    """`port` leads to the server at `to`."""

    def __init__(self, to: int) -> None:
        self.port = 0
        self._to = to
        self._losses = 0
        self._is_cut = False
        self._clients: set[asyncio.StreamWriter] = set()

    def lose(self) -> None:
        """Nothing passes any more on the connections that are open now; new ones are good."""
        self._losses += 1

    def cut(self) -> None:
        """As `lose`, and new connections are closed at once."""
        self.lose()
        self._is_cut = True

    def say(self, words: bytes) -> None:
        """Send to every client, as if the server had said it."""
        for client in self._clients:
            client.write(words)

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._clients.add(writer)
        both = (self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        await asyncio.gather(*both, return_exceptions=True)
        self._clients.discard(writer)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        losses = self._losses
        while chunk := await source.read(65536):
            if losses == self._losses:
                sink.write(chunk)
                await sink.drain()
        sink.close()


@asynccontextmanager
async def line(to: int) -> AsyncIterator[Line]:
    """A line to the port `to`."""
    open_line = Line(to)
    async with await asyncio.start_server(open_line.connect, "127.0.0.1", 0) as server:
        open_line.port = server.sockets[0].getsockname()[1]
        yield open_line
