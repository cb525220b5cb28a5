"""Self-contained web pages: the answer of an evaluation, and families of images to be judged."""
