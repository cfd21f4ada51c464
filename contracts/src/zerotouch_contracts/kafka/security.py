"""How a client of Kafka shows who it is, and knows whom it speaks to: from the environment, as libpq's clients do it.

A process is one principal, whatever it opens, so no function passes this on. Files are read for each client that is
made, a token for each connection: what is renewed on disk is used by the next.

    KAFKA_SECURITY_PROTOCOL   PLAINTEXT (without it), SSL or SASL_SSL
    KAFKA_SSL_CA_FILE         whose signature a broker must show, PEM; without it the system's list
    KAFKA_SSL_CERT_FILE       the client's own certificate, PEM, with
    KAFKA_SSL_KEY_FILE        its key, PEM, and
    KAFKA_SSL_KEY_PASSWORD    that key's password, if it has one
    KAFKA_SASL_MECHANISM      SCRAM-SHA-512 (without it), SCRAM-SHA-256, PLAIN or OAUTHBEARER
    KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD
    KAFKA_SASL_TOKEN_FILE     of OAUTHBEARER: the token, and nothing else

A name that is none of the certificate's is refused, and there is no way to switch that off. SASL_PLAINTEXT is refused,
too: whoever listens to it has the records, and has PLAIN's password.
"""

import asyncio
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError

PREFIX: Final = "KAFKA_"
PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_SSL")
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "OAUTHBEARER")


class SecurityInvalid(KafkaError):  # type: ignore[misc]
    """The environment does not say how to speak to Kafka. Field: problems, (variable, why) each, without any value."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{variable}: {why}" for variable, why in problems))


@dataclass(frozen=True, slots=True)
class Security:
    """What the environment says, checked."""

    protocol: str = "PLAINTEXT"
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: str | None = field(default=None, repr=False)
    mechanism: str = MECHANISMS[0]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token_file: str | None = None

    def options(self) -> dict[str, Any]:
        """What aiokafka's clients are given. Raises ``OSError`` and ``ssl.SSLError`` where a file cannot be used."""
        if self.protocol == "PLAINTEXT":
            return {}
        options: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self._context()}
        if self.protocol == "SASL_SSL":
            options["sasl_mechanism"] = self.mechanism
            if self.token_file is not None:
                options["sasl_oauth_token_provider"] = TokenOfFile(Path(self.token_file))
            else:
                options |= {"sasl_plain_username": self.username, "sasl_plain_password": self.password}
        return options

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file, self.key_password)
        return context


class TokenOfFile(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """The token of a file that somebody else keeps fresh, as Kubernetes does with those of service accounts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """The token as it is now. Raises ``OSError``."""
        return (await asyncio.to_thread(self._path.read_text, encoding="ascii")).strip()


def security_of(environment: Mapping[str, str]) -> Security:
    """What the variables say. Raises :class:`SecurityInvalid` with every problem at once."""
    said = {
        name.removeprefix(PREFIX): value
        for name, value in environment.items()
        if name.startswith((PREFIX + "SSL_", PREFIX + "SASL_", PREFIX + "SECURITY_")) and value
    }
    unknown = sorted(said.keys() - _VARIABLES.keys())
    problems = [(PREFIX + name, "is no variable of ours") for name in unknown]
    values = {_VARIABLES[name]: value for name, value in said.items() if name in _VARIABLES}
    found = Security(**values)
    problems += [(PREFIX + name, why) for name, why in _problems(found, said.keys())]
    if problems:
        raise SecurityInvalid(tuple(problems))
    return found


def client_options() -> dict[str, Any]:
    """What this process's environment says, for one client. Raises what :func:`security_of` and `options` do."""
    return security_of(os.environ).options()


_VARIABLES: Final = {
    "SECURITY_PROTOCOL": "protocol",
    "SSL_CA_FILE": "ca_file",
    "SSL_CERT_FILE": "cert_file",
    "SSL_KEY_FILE": "key_file",
    "SSL_KEY_PASSWORD": "key_password",
    "SASL_MECHANISM": "mechanism",
    "SASL_USERNAME": "username",
    "SASL_PASSWORD": "password",
    "SASL_TOKEN_FILE": "token_file",
}
NAMES: Final = tuple(PREFIX + name for name in _VARIABLES)
"""Every variable that is read here."""


def _problems(found: Security, said: Any) -> list[tuple[str, str]]:
    if found.protocol not in PROTOCOLS:
        return [("SECURITY_PROTOCOL", f"must be one of {', '.join(PROTOCOLS)}")]
    if found.mechanism not in MECHANISMS:
        return [("SASL_MECHANISM", f"must be one of {', '.join(MECHANISMS)}")]
    problems = []
    for name in sorted(said):
        if name.startswith("SSL_") and found.protocol == "PLAINTEXT":
            problems.append((name, "needs SECURITY_PROTOCOL SSL or SASL_SSL: nothing is encrypted without"))
        if name.startswith("SASL_") and found.protocol != "SASL_SSL":
            problems.append((name, "needs SECURITY_PROTOCOL SASL_SSL"))
        if name.endswith("_FILE") and not os.access(getattr(found, _VARIABLES[name]), os.R_OK):
            problems.append((name, "names a file that cannot be read"))
    if (found.cert_file is None) != (found.key_file is None):
        problems.append(("SSL_KEY_FILE", "goes with SSL_CERT_FILE, and that with it"))
    if found.protocol == "SASL_SSL":
        problems += _of_sasl(found)
    return problems


def _of_sasl(found: Security) -> list[tuple[str, str]]:
    if found.mechanism == "OAUTHBEARER":
        needed = {"SASL_TOKEN_FILE": found.token_file}
        useless = {"SASL_USERNAME": found.username, "SASL_PASSWORD": found.password}
    else:
        needed = {"SASL_USERNAME": found.username, "SASL_PASSWORD": found.password}
        useless = {"SASL_TOKEN_FILE": found.token_file}
    missing = [(name, f"is required by {found.mechanism}") for name, value in needed.items() if value is None]
    return missing + [(name, f"says nothing to {found.mechanism}") for name, value in useless.items() if value]
