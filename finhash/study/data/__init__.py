"""Data of the study: data sets, templates, transforms, and the hash tables made from them."""
