"""Commands around the manifests: what they are generated from, and what brings them to a cluster."""
