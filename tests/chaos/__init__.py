"""Kills the gateway's processes under load while partners misbehave, and counts what was lost, doubled or overtaken.

`python -m tests.chaos` (or `make chaos`) runs it; docs/chaos.md says what is done and how to read the report.
"""
