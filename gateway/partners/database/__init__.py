"""Partners that offer no service, only their database: tables to write, procedures to call, views to read."""
