"""What the gateway remembers: one module per thing of the hospital, tables together with their rules."""
