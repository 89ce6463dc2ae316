"""What is told of the running shop, and who is woken by it: docs/observability.md."""
