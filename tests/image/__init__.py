"""The loader's image, built from its Dockerfile without a daemon, and started."""
