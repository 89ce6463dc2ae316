"""waitress, and a stop that lets nobody down: no new connection, what was begun is finished, then the end.

waitress by itself leaves its loop at once, and answers that the loop had still to send are lost.
"""

import signal
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from waitress import create_server, wasyncore  # type: ignore[import-untyped]

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_ROUND = 0.05


class Server:
    """Listens from the beginning; `run` serves until the process is told to stop, and returns when all is answered."""

    def __init__(self, application: Application, host: str, port: int, threads: int) -> None:
        self._listener = socket.create_server((host, port), backlog=1024)
        self._server = create_server(application, sockets=[self._listener], threads=threads, backlog=1024)
        self._stopping = False

    @property
    def port(self) -> int:
        """Where it listens, when any port was good."""
        port: int = self._listener.getsockname()[1]
        return port

    def stop(self, *_: object) -> None:
        """Let `run` come to its end; may be called from a signal handler."""
        self._stopping = True
        self._server.pull_trigger()

    def run(self, grace_seconds: float) -> None:
        """Serve until SIGTERM or SIGINT, then finish what was begun, for `grace_seconds` at most."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        while not self._stopping:
            self._turn(1.0)
        wasyncore.dispatcher.close(self._server)
        limit = time.monotonic() + grace_seconds
        while self._close_idle() and time.monotonic() < limit:
            self._turn(_ROUND)
        self._server.task_dispatcher.shutdown(timeout=0)

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, map=self._server._map, count=1)

    def _close_idle(self) -> int:
        """Close the connections on which nothing is under way; how many are left."""
        channels = self._server.active_channels
        for channel in list(channels.values()):
            if not (channel.requests or channel.request or channel.total_outbufs_len):
                channel.handle_close()
        return len(channels)
