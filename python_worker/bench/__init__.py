"""Benchmarks: each module without an underscore is a program, ``python -m bench.NAME``."""
