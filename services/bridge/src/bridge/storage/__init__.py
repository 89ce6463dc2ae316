"""Tables and queries of bridge, all in the old shop's database."""
