"""Writes `.env` for Compose from `.env.example`: passwords, installation id and the public key that checks tokens.

    .venv/bin/python deploy/compose/make_env.py [--output .env]

The key is the one that `make token` signs with (devstack's, under `.devstack/`), so that its tokens are good for the
stack in containers too. An existing file is never overwritten: its passwords are those of the volumes.
"""

import argparse
import base64
import os
import secrets
import sys
import uuid
from pathlib import Path

from devstack import tokens

ROOT = Path(__file__).parents[2]
PASSWORD_BYTES = 24
ASSISTANT_API_URL = "http://assistant-api:3001"


def _key_of_32_bytes() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def filled(example: str, signer: tokens.Signer) -> str:
    """Returns the example with a value for everything that is required; all other lines stay as they are."""
    values = {
        "INSTALLATION_ID": str(uuid.uuid4()),
        "JWT_ALGORITHM": "EdDSA",
        "JWT_PUBLIC_KEY": '"{}"'.format(signer.public_key.replace("\n", "\\n")),
        "JWT_ISSUER": tokens.ISSUER,
        "JWT_AUDIENCE": tokens.AUDIENCE,
        "ASSISTANT_API_URL": ASSISTANT_API_URL,
        "ASSISTANT_API_TOKEN": signer.platform_token(lifetime_seconds=tokens.SERVICE_LIFETIME_SECONDS),
        "LOG_SIGNING_KEY": '"{}"'.format(tokens.new_signer().private_key.replace("\n", "\\n")),
        "CONSOLE_KEY": _key_of_32_bytes(),
        "VAPI_KEY_ENVELOPE_KEYS": f"k1:{_key_of_32_bytes()}",
        "NOTICES_KEY": _key_of_32_bytes(),
        "VAPI_WEBHOOK_TOKENS": secrets.token_hex(PASSWORD_BYTES),
        "ERASURE_KEYS": secrets.token_hex(PASSWORD_BYTES),
        "VAPI_SANDBOX_CONTROL_TOKEN": secrets.token_hex(PASSWORD_BYTES),
    }
    lines = []
    for line in example.splitlines():
        name, equals, _ = line.partition("=")
        if equals and name.endswith("_PASSWORD"):
            values[name] = secrets.token_hex(PASSWORD_BYTES)  # only digits and a-f: it goes into a URL
        lines.append(f"{name}={values[name]}" if equals and name in values else line)
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="make_env.py", description="Write .env for Compose.")
    parser.add_argument("--output", type=Path, default=ROOT / ".env")
    output: Path = parser.parse_args().output
    text = filled((ROOT / ".env.example").read_text(), tokens.signer(ROOT / ".devstack"))
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        print(
            f"make_env.py: {output} exists and stays as it is; its passwords are those of the volumes", file=sys.stderr
        )
        return 1
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    print(f"make_env.py: wrote {output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
