"""How fast the gateway takes requisitions, beside what a hospital would write with Spyne alone: `make bench`."""
