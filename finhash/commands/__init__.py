"""Commands of the command line, which ``finhash.__main__`` brings together."""
