"""Jobs over many files: hashing them into a table, and joining all hashes of a table."""
