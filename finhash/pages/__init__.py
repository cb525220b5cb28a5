"""Self-contained web pages: the answer of an evaluation, and pairs of families to be judged."""
