"""Seeing: models and their cards, detection, tiles, the second look, tracks, changes, picture quality."""
