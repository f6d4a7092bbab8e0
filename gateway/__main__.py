"""`python -m gateway` is the command `gateway`. Ctrl-C ends it without a traceback even while it is being loaded."""

import sys

INTERRUPTED = 130


def main() -> None:
    """The entry point of the installed command."""
    try:
        from gateway.cli import main as do
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    do()


if __name__ == "__main__":
    main()
