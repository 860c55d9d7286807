"""How many live patients this machine carries, and what the same costs by other means."""
