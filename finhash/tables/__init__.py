"""Hash tables: their columns, and the files in which they are kept."""
