"""The private CA of compose.yaml: who gets what, what is kept and what is made again."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from scripts.make_certificates import SERVER_DAYS, Server, main, make, parse

POSTGRES = Server("postgres", ("postgres", "localhost", "127.0.0.1"))
VALKEY = Server("valkey", ("valkey",))
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def _handshake(folder: Path, server: str, host: str, trust: Path | None = None) -> None:
    """TLS between two ends in memory. Raises ssl.SSLError where the client refuses the server."""
    inside = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    inside.load_cert_chain(folder / server / "server.crt", folder / server / "server.key")
    outside = ssl.create_default_context(cafile=str((trust or folder) / "trust" / "ca.crt"))
    a, b, c, d = (ssl.MemoryBIO() for _ in range(4))
    client = outside.wrap_bio(a, b, server_hostname=host)
    served = inside.wrap_bio(c, d, server_side=True)
    done = {"client": False, "server": False}
    for _ in range(10):
        for name, end in (("client", client), ("server", served)):
            try:
                end.do_handshake()
                done[name] = True
            except ssl.SSLWantReadError:
                pass  # the other end's turn
        c.write(b.read())
        a.write(d.read())
    assert done == {"client": True, "server": True}


def test_a_client_that_trusts_the_ca_takes_each_server_under_its_own_names_alone(tmp_path: Path) -> None:
    assert make(tmp_path, [POSTGRES, VALKEY]) == ["ca", "postgres", "valkey"]

    _handshake(tmp_path, "postgres", "postgres")
    _handshake(tmp_path, "postgres", "127.0.0.1")
    _handshake(tmp_path, "valkey", "valkey")
    with pytest.raises(ssl.SSLCertVerificationError, match="ostname"):
        _handshake(tmp_path, "valkey", "postgres")


def test_another_ca_is_not_trusted(tmp_path: Path) -> None:
    make(tmp_path / "ours", [VALKEY])
    make(tmp_path / "others", [VALKEY])

    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(tmp_path / "others", "valkey", "valkey", trust=tmp_path / "ours")


def test_keys_are_their_owners_alone_and_the_authoritys_lies_apart(tmp_path: Path) -> None:
    make(tmp_path, [POSTGRES])

    keys = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.key"))
    assert keys == ["ca/ca.key", "postgres/server.key"]
    assert {stat.S_IMODE((tmp_path / key).stat().st_mode) for key in keys} == {0o600}
    assert [path.name for path in (tmp_path / "trust").iterdir()] == ["ca.crt"]


def _served(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "postgres" / "server.crt").read_bytes())


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path, [POSTGRES], NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}

    assert make(tmp_path, [POSTGRES], NOW + timedelta(days=SERVER_DAYS - 31)) == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_what_ends_within_a_month_is_made_again_under_the_same_authority(tmp_path: Path) -> None:
    make(tmp_path, [POSTGRES], NOW)
    first = _served(tmp_path)

    assert make(tmp_path, [POSTGRES], NOW + timedelta(days=SERVER_DAYS - 29)) == ["postgres"]
    assert _served(tmp_path).issuer == first.issuer
    assert _served(tmp_path).not_valid_after_utc > first.not_valid_after_utc


def _other_hosts(folder: Path) -> list[Server]:
    return [Server("postgres", ("db.internal",))]


def _damaged(folder: Path) -> list[Server]:
    (folder / "postgres" / "server.crt").write_text("half of a cert")
    return [POSTGRES]


def _foreign_key(folder: Path) -> list[Server]:
    """As after a run that was killed between the two files."""
    make(folder / "elsewhere", [POSTGRES])
    (folder / "elsewhere" / "postgres" / "server.key").replace(folder / "postgres" / "server.key")
    return [POSTGRES]


@pytest.mark.parametrize("change", [_other_hosts, _damaged, _foreign_key])
def test_what_does_not_fit_is_made_again(tmp_path: Path, change: object) -> None:
    make(tmp_path, [POSTGRES])
    wanted: Sequence[Server] = change(tmp_path)  # type: ignore[operator]

    assert make(tmp_path, wanted) == ["postgres"]
    _handshake(tmp_path, "postgres", wanted[0].hosts[0])


def test_a_lost_authority_replaces_every_certificate(tmp_path: Path) -> None:
    make(tmp_path, [POSTGRES, VALKEY])
    (tmp_path / "ca" / "ca.key").unlink()

    assert make(tmp_path, [POSTGRES, VALKEY]) == ["ca", "postgres", "valkey"]
    _handshake(tmp_path, "valkey", "valkey")


@pytest.mark.parametrize("word", ["postgres", "postgres=", "@5=host", "a@root=host", "../x=host"])
def test_a_server_that_is_not_said_right_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(ValueError, match="SERVER"):
        parse(word)
    assert main([str(tmp_path), word]) == 2


def test_words_of_the_command_line() -> None:
    assert parse("postgres@999=postgres,10.1.2.3") == Server("postgres", ("postgres", "10.1.2.3"), 999)
