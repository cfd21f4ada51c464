"""A broker that lets nobody in without TLS and a name, for tests: its own authority, certificates, users and rights.

    SECURED   SASL_SSL: SCRAM-SHA-512, PLAIN, and OAUTHBEARER with tokens that nobody signed
    MUTUAL    SSL with a certificate of the client's; its common name is the user
    CLIENT    as ever, on loopback and without any of that: devstack's own, whose nobody may do all

What a user may do is said by `deploy/kafka/acls`, by the deployment's own script.
"""

import asyncio
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devstack.ports import HOST, free_port

USERS: Final = ("assistant-api", "tool-sync", "subscriber", "stranger")
ACLS: Final = Path(__file__).parents[3] / "kafka" / "acls"
ACLS_SECONDS: Final = 120.0
_LOGIN = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates for an hour; PEM files of ``folder``."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def ca_file(self) -> Path:
        """Whose signature is to be trusted."""
        return self.folder / "ca.pem"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "zerotouch test authority")])
        made = self._building(name, self.key.public_key()).add_extension(x509.BasicConstraints(True, 0), critical=True)
        self.ca_file.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def certificate(self, common_name: str, host: str = HOST) -> tuple[Path, Path]:
        """The files of a new certificate and of its key; it is good for ``host``."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        made = (
            self._building(name, key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        cert_file, key_file = (self.folder / f"{common_name}.{host}.{kind}.pem" for kind in ("cert", "key"))
        cert_file.write_bytes(made.public_bytes(Encoding.PEM))
        key_file.touch(mode=0o600)
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return cert_file, key_file

    def _building(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "zerotouch test authority")])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
        )


@dataclass(frozen=True, slots=True)
class SecuredKafka:
    """What a broker is started with, and what each user is told."""

    authority: Authority
    port: int = field(default_factory=free_port)
    mutual_port: int = field(default_factory=free_port)
    passwords: Mapping[str, str] = field(default_factory=lambda: {user: secrets.token_urlsafe(24) for user in USERS})

    def properties(self, settings: Mapping[str, str]) -> dict[str, str]:
        """What is added to a broker's settings."""
        cert_file, key_file = self.authority.certificate("broker")
        both = self.authority.folder / "broker.pem"
        both.touch(mode=0o600)
        both.write_bytes(key_file.read_bytes() + cert_file.read_bytes())
        ports = {"SECURED": self.port, "MUTUAL": self.mutual_port}
        addresses = ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
        users = " ".join(f'user_{user}="{password}"' for user, password in self.passwords.items())
        login = {
            "scram-sha-512": f"{_LOGIN}.scram.ScramLoginModule required;",
            "plain": f"{_LOGIN}.plain.PlainLoginModule required {users};",
            "oauthbearer": f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule required;",
        }
        return {
            "listeners": f"{settings['listeners']},{addresses}",
            "advertised.listeners": f"{settings['advertised.listeners']},{addresses}",
            "listener.security.protocol.map": f"{settings['listener.security.protocol.map']},"
            "SECURED:SASL_SSL,MUTUAL:SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.ca_file),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/",
            "listener.name.secured.sasl.enabled.mechanisms": ",".join(mechanism.upper() for mechanism in login),
            **{f"listener.name.secured.{name}.sasl.jaas.config": config for name, config in login.items()},
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # of the listeners of loopback that have no names
        }

    @property
    def formatting(self) -> list[str]:
        """What the storage is formatted with: the users of SCRAM."""
        users = (f"SCRAM-SHA-512=[name={user},password={password}]" for user, password in self.passwords.items())
        return [word for user in users for word in ("--add-scram", user)]

    def env(self, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """The environment of a client that is ``user``."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{self.port}",
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SSL_CA_FILE": str(self.authority.ca_file),
            "KAFKA_SASL_MECHANISM": mechanism,
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD": self.passwords[user],
        }

    def mutual_env(self, user: str) -> dict[str, str]:
        """The same by a certificate."""
        cert_file, key_file = self.authority.certificate(user)
        return {
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{self.mutual_port}",
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_SSL_CA_FILE": str(self.authority.ca_file),
            "KAFKA_SSL_CERT_FILE": str(cert_file),
            "KAFKA_SSL_KEY_FILE": str(key_file),
        }


async def allow(command: list[str], bootstrap_servers: str) -> None:
    """Run the deployment's script; ``command`` is kafka-acls.sh. Raises ``RuntimeError`` with what it said."""
    words = [*command, "--bootstrap-server", bootstrap_servers]
    assert not any(" " in word for word in words), "the script splits its command at spaces"
    child = await asyncio.create_subprocess_exec(
        str(ACLS),
        env={**os.environ, "KAFKA_ACLS": " ".join(words)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(ACLS_SECONDS):
        said, _ = await child.communicate()
    if child.returncode != 0:
        raise RuntimeError(f"{ACLS.name} ended with status {child.returncode}: {said.decode()[-2000:]}")
