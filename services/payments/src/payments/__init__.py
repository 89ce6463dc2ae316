"""Banyan payments."""
