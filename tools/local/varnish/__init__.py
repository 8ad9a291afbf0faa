"""A real Varnish in front of the container `artifacts`: what Front Door does, as far as readers and purges notice it.

`edge.vcl` says how it answers. What it does not do: keep what was being fetched when a purge came from being stored (a
reader is then late by max-age once more); know that two spellings of a path (`%2B` and `+`) are one object.
"""
