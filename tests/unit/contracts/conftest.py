"""The golden examples as records."""
