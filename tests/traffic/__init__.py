"""Traffic: many customers at once, by the public API through the gateway only. Knows no service and no database."""
