"""What a loader that watches answers over HTTP: probes, metrics, and its status for people and programs."""
