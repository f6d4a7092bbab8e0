"""What the gateway does with a message that is well-formed and allowed: one module per operation."""
