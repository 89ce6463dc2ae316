"""Banyan inventory."""
