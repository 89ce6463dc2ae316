"""The mechanisms that services share. No business word belongs here."""
