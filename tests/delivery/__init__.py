"""How the shop is delivered: workflows, and the commands that they rest on. No network and no Docker needed."""
