"""Who may call the gateway and what: passwords, rights, and the proof of identity that comes with each message."""
