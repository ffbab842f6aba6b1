"""What a model takes, out of its header, how it is made to fit, and where it goes."""
