"""The database that the gateway brings along, for sites that have not set one up themselves."""
