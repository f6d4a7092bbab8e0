"""Simulated HIS, PACS, LIS and EMR: real SOAP servers in processes of their own, for demonstrations and tests.

Each serves the operations a partner of its kind serves, by our own contract, and remembers what a real one would
remember. What it does and how its faults are switched is docs/simulators.md.
"""
