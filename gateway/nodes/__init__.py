"""Several nodes on one database: who is there, whether they agree, and how one is taken out of service."""
