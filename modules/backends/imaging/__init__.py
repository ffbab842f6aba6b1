"""What backends that make pictures share: what they are asked and answer."""
