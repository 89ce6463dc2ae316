"""The servers that integration tests use: containers where a Docker engine answers, embedded ones elsewhere."""
