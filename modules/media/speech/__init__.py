"""Texts → speech: what of a text is spoken, in which sentences and by which voice."""
