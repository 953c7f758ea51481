"""Makes a private certificate authority and certificates of servers, for TLS between Switchboard and its services.

`python -m scripts.make_certificates FOLDER SERVER[@UID]=HOST[,HOST…] …`, which compose.yaml runs before the servers
start. FOLDER gets

- ca/ca.key: the authority's key, for this script alone;
- trust/ca.crt: what clients check servers against (sslrootcert, ssl_ca_certs);
- SERVER/server.key, SERVER/server.crt: a server's own, for the hosts (names or addresses) that its clients name.
  UID: the account that the server runs as, which then owns them.

Running it again changes nothing as long as everything fits and is valid for another 30 days. Otherwise what does not is
made anew; restart its server then.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS, SERVER_DAYS = 3650, 397
RENEWED_BEFORE = timedelta(days=30)
CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    hosts: tuple[str, ...]
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def parse(word: str) -> Server:
    """SERVER[@UID]=HOST[,HOST…]. Raises ValueError."""
    who, _, hosts = word.partition("=")
    name, _, uid = who.partition("@")
    if not name.isidentifier() or not hosts or (uid and not uid.isdigit()):
        raise ValueError(f"{word!r} is not SERVER[@UID]=HOST[,HOST…]")
    return Server(name, tuple(hosts.split(",")), int(uid) if uid else None)


def make(folder: Path, servers: Sequence[Server], now: datetime | None = None) -> list[str]:
    """Make what is missing, does not fit or ends soon. Returns the names of what was made."""
    now = now or datetime.now(UTC)
    made = []
    ca = _read(folder / "ca" / "ca.key", folder / "trust" / "ca.crt")
    if ca is None or _ends_soon(ca.certificate, now):
        ca = _authority(now)
        _write(folder / "ca" / "ca.key", _pem(ca.key), 0o600)
        _write(folder / "trust" / "ca.crt", ca.certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        made.append("ca")
    for server in servers:
        key, crt = folder / server.name / "server.key", folder / server.name / "server.crt"
        found = _read(key, crt)
        if found is not None and _fits(found.certificate, server, ca.certificate, now):
            continue
        pair = _certificate(server, ca, now)
        _write(key, _pem(pair.key), 0o600, server.uid)
        _write(crt, pair.certificate.public_bytes(serialization.Encoding.PEM), 0o644, server.uid)
        made.append(server.name)
    return made


def _ends_soon(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_after_utc - now < RENEWED_BEFORE


def _fits(certificate: x509.Certificate, server: Server, ca: x509.Certificate, now: datetime) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return list(names) == _alternatives(server.hosts) and not _ends_soon(certificate, now)


def _alternatives(hosts: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for host in hosts:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            found.append(x509.DNSName(host))
    return found


def _authority(now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Switchboard private CA")])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        _builder(name, name, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Pair(key, builder.sign(key, hashes.SHA256()))


def _certificate(server: Server, ca: Pair, now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, server.hosts[0])])
    builder = (
        _builder(subject, ca.certificate.subject, key, now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_alternatives(server.hosts)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    return Pair(key, builder.sign(ca.key, hashes.SHA256()))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _read(key: Path, certificate: Path) -> Pair | None:
    """None where a file is missing or damaged, or the two do not belong together, as after a run that was killed."""
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        public = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or public.public_key() != private.public_key():
        return None
    return Pair(private, public)


def _write(path: Path, content: bytes, mode: int, uid: int | None = None) -> None:
    """Whole or not at all; never readable by others for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    if uid is not None:
        shutil.chown(new, uid)
    new.replace(path)


def main(argv: Sequence[str]) -> int:
    if len(argv) < 2:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        servers = [parse(word) for word in argv[1:]]
    except ValueError as e:
        sys.stderr.write(f"error: {e}\n")
        return 2
    made = make(Path(argv[0]), servers)
    sys.stdout.write(f"made: {', '.join(made)}\n" if made else "all certificates are valid\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
