"""Banyan orders."""
