"""What is kept and for how long: months of the large tables, what is dropped of them, and room on the disk."""
