"""The SOAP side of the gateway: what a partner's program sends over HTTP, and what it gets back."""
