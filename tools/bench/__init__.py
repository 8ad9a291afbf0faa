"""`make bench`: whole processes beside those of other programs, over real servers, in ratios (docs/BENCHMARKS.md)."""
