"""Two nodes, HAProxy and one PostgreSQL under load: a node is killed, drained, cut off, and the database restarted.

`python -m tests.nodes.proof` (or `make nodes`) runs it; docs/nodes.md says what is promised and what was measured.
"""
