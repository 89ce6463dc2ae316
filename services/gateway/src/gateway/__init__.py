"""Banyan gateway."""
