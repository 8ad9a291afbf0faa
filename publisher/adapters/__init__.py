"""The ports, made real: Blob Storage, a local folder, memory."""
