"""What tool-sync says: outcomes become the status of assistants, divergence becomes a repair."""
