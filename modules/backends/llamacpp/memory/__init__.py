"""What a model takes, out of its header, and how it is made to fit."""
