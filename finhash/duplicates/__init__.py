"""Duplicates: which copy of an image to keep, and moving or linking the others, with an undo."""
