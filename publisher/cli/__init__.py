"""The `cdn-release` command: the use cases for CI and operators."""
