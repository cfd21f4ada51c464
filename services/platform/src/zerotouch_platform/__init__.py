"""Plumbing that assistant-api and tool-sync share. No business is in it, and nobody but the two services imports it."""
