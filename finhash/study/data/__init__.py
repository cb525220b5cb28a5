"""The images: sets, templates, transforms, and the hash tables made of them."""
