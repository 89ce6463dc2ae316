"""What compose.yaml promises, read from the file itself: no Docker needed."""
