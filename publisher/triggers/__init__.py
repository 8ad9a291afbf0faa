"""One file a trigger kind: parse the request, call one use case, map the result."""
