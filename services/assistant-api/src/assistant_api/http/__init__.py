"""The HTTP edge: routes, bodies, problems, idempotency. No SQL."""
