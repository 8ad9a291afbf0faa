"""What `make install` does: a virtual environment, the locked packages, Node where there is none, and Azurite.

It runs on the Python that was found, before anything is installed: standard library only.
"""
