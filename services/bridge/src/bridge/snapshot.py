"""Copies the old shop's customers, products and orders to the new one: `python -m bridge.snapshot [--restart]`.

May be stopped at any moment and started again; what it has told already is known to whoever heard it.
"""

import argparse
import asyncio
import signal
import sys
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bridge.capture import install
from bridge.copying import Shown, Snapshot
from bridge.sealing import Sealer
from bridge.settings import Settings, decode_key
from bridge.translate import Translator
from chassis import logs
from chassis.bus import Bus
from chassis.errors import DependencyUnavailable
from chassis.settings import load
from chassis.storage import Database

_LOCK = sa.select(sa.func.pg_try_advisory_lock(zlib.crc32(b"bridge-snapshot")))
# A server notices within moments that a killed process is gone, not at once.
OTHERS_SECONDS, BUS_SECONDS = 10.0, 60.0
LINES = 10  # a table, where there is no terminal
INTERRUPTED = 128 + signal.SIGINT  # as a shell says it


class Bar:
    """For a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def began(self, table: str, rows: int, total: int) -> None:
        self._tasks[table] = self._progress.add_task(table, total=total, completed=rows)

    def moved(self, table: str, rows: int) -> None:
        self._progress.update(self._tasks[table], completed=rows)

    def ended(self, table: str, rows: int) -> None:
        self._progress.update(self._tasks[table], completed=rows, total=rows)


class Lines:
    """For a file or a pipe."""

    def __init__(self) -> None:
        self._total, self._shown = 0, 0

    def began(self, table: str, rows: int, total: int) -> None:
        self._total, self._shown = total, rows
        _write(f"{table}: {rows} of {total}")

    def moved(self, table: str, rows: int) -> None:
        if rows - self._shown > self._total / LINES:
            self._shown = rows
            _write(f"{table}: {rows} of {self._total}")

    def ended(self, table: str, rows: int) -> None:
        _write(f"{table}: done, {rows} rows")


class Busy(Exception):
    """Another snapshot is running."""


async def copy(settings: Settings, restart: bool, shown: Shown) -> None:
    """Run the snapshot to its end; raises `Busy`, `DependencyUnavailable`, `TimeoutError`."""
    database, bus = Database(settings), Bus(settings, "bridge-snapshot")
    snapshot = Snapshot(database, bus, Translator(Sealer(decode_key(settings.hash_key))), settings.snapshot_chunk)
    await bus.start()
    try:
        async with asyncio.timeout(BUS_SECONDS):
            await bus.jetstream()
        async with database.transaction() as connection:
            await install(connection)  # before the first row is read: no change may be missed from then on
        async with _alone(database):
            if restart:
                await snapshot.restart()
            await snapshot.run(shown)
    finally:
        await bus.stop()
        await database.stop()


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    limit = time.monotonic() + OTHERS_SECONDS
    async with database.session() as connection:
        while not (await connection.execute(_LOCK)).scalar_one():
            if time.monotonic() > limit:
                raise Busy("another snapshot is running")
            await asyncio.sleep(0.2)
        try:
            yield
        finally:
            await connection.invalidate()


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Entry point of the command; exit code 1 when something that it needs is not there, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m bridge.snapshot", description=__doc__)
    parser.add_argument("--restart", action="store_true", help="begin anew, whatever was copied before")
    restart = parser.parse_args().restart
    settings = load(Settings)
    logs.configure(settings.model_copy(update={"log_level": "WARNING"}))  # between the lines of the bar
    try:
        console = Console()
        if console.is_terminal:
            columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            with Progress(*columns, console=console) as progress:
                asyncio.run(copy(settings, restart, Bar(progress)))
        else:
            asyncio.run(copy(settings, restart, Lines()))
    except (Busy, DependencyUnavailable, TimeoutError) as error:
        sys.stderr.write(f"snapshot: {str(error) or 'nobody answers'}; is the stack running? See `make status`.\n")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        sys.stderr.write("snapshot: interrupted; start it again, it goes on where it was\n")
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
