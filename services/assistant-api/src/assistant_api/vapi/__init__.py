"""Vapi, as far as this service needs it: assistants, and the deletion of phone calls."""
