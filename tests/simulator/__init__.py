"""The publisher and the loader on one in-memory CDN, with switches for what goes wrong."""
