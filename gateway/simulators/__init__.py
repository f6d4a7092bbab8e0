"""Simulated HIS, PACS, LIS, EMR and insurance platform: real servers in processes of their own, to show and to test.

Each serves what a partner of its kind serves, by our own contract or the national insurance interface, and remembers
what a real one would remember. What it does and how its faults are switched is docs/simulators.md.
"""
