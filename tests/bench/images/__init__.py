"""Builds the images and measures them: `make images`."""
