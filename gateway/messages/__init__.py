"""What partners send and receive, as Python values: one module per file of xsd/, made from it by generate.py."""
