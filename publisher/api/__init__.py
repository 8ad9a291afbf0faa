"""C6: the HTTP API. What is asked for becomes one use case; nothing here knows of the platform."""
