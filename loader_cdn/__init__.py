"""The `feature-loader` command: fetch, verify, stage and swap signed features into a host's artifacts directory.

Imports `artifact` and nothing of the publisher or of Azure.
"""
