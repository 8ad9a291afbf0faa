"""What only developers run: the set-up, the local pipeline, benchmarks."""
