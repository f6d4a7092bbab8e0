"""How the gateway calls a partner's own web service, and what it makes of the answer."""
