"""The commands of `assistant-api`."""
