"""The parts of `benchmarks/pool.py`."""
