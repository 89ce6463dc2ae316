"""Banyan catalog."""
