"""The reference host (examples/host) and the module that verifies in Node and in the browser."""
