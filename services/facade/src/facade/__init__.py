"""The strangler: the old contract outside, and inside the decision who answers."""
