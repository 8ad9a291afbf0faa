"""The edge where no Varnish is installed: what Front Door does, as far as readers and purges notice it.

Whether an answer may be kept, for how long, and how it is asked for again, is decided by a library (RFC 9111, as a
shared cache); another answers conditional and range requests. It asks the storage with a read-only signature, so the
container stays private. What it does not do: answer before it has all of an object; collapse equal requests that miss
at once; several points of presence.
"""
