"""What backends that speak share: what they are asked and answer, and which voices they have."""
