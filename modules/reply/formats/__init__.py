"""The ways model families write tool calls, one file each, and the choice among them."""
