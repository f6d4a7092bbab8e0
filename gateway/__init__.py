"""A SOAP gateway between a hospital's HIS and the systems around it."""
