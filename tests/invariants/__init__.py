"""Do the books balance: reads every database and the stream, writes nothing, and asks no service."""
