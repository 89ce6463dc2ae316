"""The tables: the old shop's, as far as bridge reads and writes them, and bridge's own, which `capture.sql` makes."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from chassis.inbox import inbox_table

legacy = sa.MetaData()
metadata = sa.MetaData(schema="bridge")
_instant = sa.DateTime(timezone=True)
_money = sa.Numeric(10, 2)

products = sa.Table(
    "products",
    legacy,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("isbn", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("author", sa.Text),
    sa.Column("year", sa.Integer),
    sa.Column("price", _money),
    sa.Column("stock", sa.Integer),
)
customers = sa.Table(
    "customers",
    legacy,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("email", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("salt", sa.CHAR(8)),
    sa.Column("password", sa.CHAR(40)),
    sa.Column("created", sa.DateTime),
)
orders = sa.Table(
    "orders",
    legacy,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("customer_id", sa.Integer),
    sa.Column("status", sa.CHAR(1)),
    sa.Column("total", _money),
    sa.Column("created", sa.DateTime),
)
order_items = sa.Table(
    "order_items",
    legacy,
    sa.Column("order_id", sa.Integer, primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True),
    sa.Column("product_id", sa.Integer),
    sa.Column("qty", sa.Integer),
    sa.Column("price", _money),
)

change = sa.Table(
    "change",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("tx", sa.Text),
    sa.Column("at", _instant),
    sa.Column("tbl", sa.Text),
    sa.Column("op", sa.Text),
    sa.Column("old", JSONB),
    sa.Column("new", JSONB),
    sa.Column("origin", sa.Text),
)
position = sa.Table("position", metadata, sa.Column("id", sa.BigInteger), sa.Column("suppressed", sa.BigInteger))
link = sa.Table(
    "link",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.Uuid),
    sa.Column("origin", sa.Text),
)
snapshot = sa.Table(
    "snapshot",
    metadata,
    sa.Column("tbl", sa.Text, primary_key=True),
    sa.Column("last_id", sa.BigInteger),
    sa.Column("done", sa.Boolean),
    sa.Column("rows", sa.BigInteger),
    sa.Column("started_at", _instant),
)
chunk = sa.Table(
    "chunk",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("at", _instant),
    sa.Column("first_id", sa.BigInteger),
    sa.Column("last_id", sa.BigInteger),
    sa.Column("watermark", sa.BigInteger),
)
written = sa.Table(
    "written", metadata, sa.Column("isbn", sa.Text, primary_key=True), sa.Column("version", sa.BigInteger)
)
inbox = inbox_table(metadata)
