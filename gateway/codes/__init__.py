"""Code mapping (对照): tables of a hospital's codes and its partners', their versions, and what had no row."""
