"""Registrations in a Kubernetes cluster, over libcurl, which the loader has anyway (docs/adr/0012)."""
