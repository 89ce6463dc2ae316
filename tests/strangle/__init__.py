"""The migration from its first day to its last, on a running shop: `make strangle`."""
