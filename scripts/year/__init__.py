"""A generated year of muck trucks with its truth, for measuring registry and rules."""
