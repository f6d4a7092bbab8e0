"""Simulated systems as vendors really build them: each with a contract, a dialect and quirks of its own.

One module per system holds its vocabulary, written by hand with lxml: nothing here uses the stylesheets by which the
gateway speaks to it, so that each side shows the other's mistakes. docs/simulators.md lists them all.
"""
