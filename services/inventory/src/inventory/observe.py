"""What inventory counts beside its messages: copies that the old shop sold and that nobody has."""

from prometheus_client import Counter

OVERSOLD = Counter("stock_oversold_copies_total", "Copies sold by the old shop beyond what was on hand and free")
