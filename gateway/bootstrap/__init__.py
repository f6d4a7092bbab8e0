"""Puts the parts of the gateway together, one module for each kind of process: the only place that knows them all."""
