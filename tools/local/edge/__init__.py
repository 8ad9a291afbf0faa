"""An edge in front of the container `artifacts`: what Front Door does, as far as readers and the publisher notice it.

It caches by Cache-Control, revalidates by ETag, compresses, strips query strings, and takes purges on a second port. It
asks the storage with a read-only signature, so the container stays private. What it does not do: ranges (a request for
one gets the whole object, which HTTP allows), collapsing equal requests that miss at once, several points of presence.
"""
