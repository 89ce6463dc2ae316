"""What each container takes at a known load, and what the manifests ask for it: docs/sizing.md."""
