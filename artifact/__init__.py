"""What is true of an artifact, wherever it is: documents, signatures, paths, digests, the release-index state machine.

Pure: bytes, streams and `now` come in, values or errors go out. No environment, no clock, no sockets, no files,
no logging. The rules (F1, S2, R5, ...) are those of docs/FORMAT.md.
"""
