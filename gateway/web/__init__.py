"""The web server that carries the gateway: gunicorn with our settings and a worker that slow clients cannot stop."""
