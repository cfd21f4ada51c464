"""What can go wrong when the stack is brought up.

DevstackError
├── process.StartFailed          a process ended, or was not ready in time
├── jars.JarsMissing             Kafka's jars cannot be had
├── databases.MigrationFailed    a service's `migrate` did not end well
└── NotPossible                  what was asked for cannot be done here: a taken port, a missing program
"""


class DevstackError(Exception):
    """The root: its text says what, which, and what to do next."""


class NotPossible(DevstackError):
    """What was asked for cannot be done on this machine as it is now."""
