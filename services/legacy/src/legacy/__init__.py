"""The old shop: pages and a JSON API over one database. Knows nothing of the rest."""
