"""The HTTP routes, one module per resource. A route reads the request, calls one verb and says what came of it."""
