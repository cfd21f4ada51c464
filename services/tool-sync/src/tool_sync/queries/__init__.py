"""What is known now: one module for each thing that somebody asks. Nothing here writes."""
