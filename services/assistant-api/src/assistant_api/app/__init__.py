"""Composition: builds every part, passes it down, starts and stops it in order."""
