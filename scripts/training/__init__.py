"""Helpers of the training scripts; no part of the installed package."""
