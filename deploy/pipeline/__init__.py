"""What the workflows in .github/workflows do that no other make target does: images made, pushed, signed and
tagged, those of an environment looked after, and a promotion proposed. Each step runs wherever its tools are."""
