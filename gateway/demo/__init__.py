"""The demonstration: a whole gateway with simulated partners, and the hospital's stories played through it."""
