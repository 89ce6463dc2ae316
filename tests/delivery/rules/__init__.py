"""What the workflows are held to, a subject a file."""
