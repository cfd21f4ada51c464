"""Vapi, as far as this service needs it: assistants."""
