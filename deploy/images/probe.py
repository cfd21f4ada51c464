#!/usr/bin/env python
"""The health check of our images, which have neither curl nor wget: `probe /livez` asks the process at $PORT.

Status 0 where it answers 200, else 1; what it answered is printed, so that `docker inspect` shows the reasons.
"""

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 4
SHOWN_BYTES_MAX = 2000


def probe(url: str) -> tuple[int, str]:
    """Returns the exit status and the text to show."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - our own process, over http
            return 0, answer.read(SHOWN_BYTES_MAX).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return 1, f"{error.code} {error.read(SHOWN_BYTES_MAX).decode(errors='replace')}"
    except OSError as error:
        return 1, f"{url} does not answer: {error}"


if __name__ == "__main__":
    status, text = probe(f"http://127.0.0.1:{os.environ['PORT']}{sys.argv[1]}")
    print(text)
    sys.exit(status)
