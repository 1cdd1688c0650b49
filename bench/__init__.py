"""Measurements, both sides in one run: `python -m bench`; how and what in docs/performance.md."""
