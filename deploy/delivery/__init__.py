"""From an image back to its source, and what a service is made of: the commands that delivery rests on."""
