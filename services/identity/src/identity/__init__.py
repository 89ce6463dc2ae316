"""Banyan identity."""
