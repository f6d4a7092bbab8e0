"""Reads tables and views of partners that send nothing, and hands each row to the reception as if it had been sent."""
