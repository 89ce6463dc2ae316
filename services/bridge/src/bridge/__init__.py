"""A sidecar of the old shop: its changes to the stream, and the new shop's changes back to its database."""
