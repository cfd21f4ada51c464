"""``python -m assistant_api``: the command line."""

from assistant_api.cli.app import app


def main() -> None:
    """Run the command line; the exit status is the command's."""
    app()


if __name__ == "__main__":
    main()
