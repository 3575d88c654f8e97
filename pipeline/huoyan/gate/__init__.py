"""A gate: what its cameras, scale and wash station say, joined into one event with a decision and a log."""
