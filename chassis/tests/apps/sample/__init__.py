"""A service as small as can be, to test the chassis with: it takes notes and hears of its own notes."""
