"""The local run: PostgreSQL, NATS and every service as processes of one machine, without containers."""
