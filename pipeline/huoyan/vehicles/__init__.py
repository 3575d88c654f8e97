"""Muck trucks: what a passage means against the register, over time and across cameras."""
