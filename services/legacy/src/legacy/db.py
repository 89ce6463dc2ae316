"""The connections to the one database, and the shop's clock."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

Pool = ConnectionPool[Connection[DictRow]]
Row = dict[str, Any]

_BERLIN = ZoneInfo("Europe/Berlin")


def connect(url: str, password: str, size: int) -> Pool:
    """Up to `size` connections, each with rows as dictionaries; `with pool.connection()` is one transaction.

    A connection is tried before it is lent: the database may have been restarted since.
    """
    return ConnectionPool(
        make_conninfo(url, password=password, application_name="legacy", connect_timeout="3"),
        connection_class=Connection[DictRow],
        kwargs={"row_factory": dict_row},
        min_size=1,
        max_size=size,
        timeout=5,
        check=ConnectionPool.check_connection,
        open=True,
    )


def local_now() -> datetime:
    """The time on the wall in Berlin, without a zone: as the tables keep it."""
    return datetime.now(_BERLIN).replace(tzinfo=None)
