"""The rooms of the house, the domain they share, and the plumbing under them."""
