"""What HTTP does with agents: one verb per module. The rows and their triggers hold the rules."""
