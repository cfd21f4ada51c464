"""Facts about Vapi that two services must not disagree on: how its JSON is read, what a status means, how lists end."""
