"""Banyan psp."""
