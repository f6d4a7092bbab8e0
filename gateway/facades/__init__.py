"""Doors for systems that cannot speak our contract: their message is mapped, then goes the way of every message."""
