"""``python -m tool_sync``: the command line. What a command needs is imported by the command, so that help is quick."""

from tool_sync.cli.app import app


def main() -> None:
    """Run the command line; the exit status is the command's."""
    app()


if __name__ == "__main__":
    main()
