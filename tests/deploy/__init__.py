"""What deploy/ promises to a cluster, read from what kustomize renders of it: no cluster and no Docker needed."""
