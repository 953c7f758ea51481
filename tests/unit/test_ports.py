"""Ports: what was asked for is used or refused by its variable's name; only a default gives way."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import settings
from shared.embedded.ports import Ports, choose_port, problem_of, words_of
from shared.errors import SettingsError
from workers.local import kept_ports, listening_ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def only_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GATEWAY_PORT", "GATEWAY_HOST", "FLOWER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


def ports_of(monkeypatch: pytest.MonkeyPatch, **values: object) -> dict[str, str]:
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    return listening_ports(settings.load(of_running_system=False), Ports())


@pytest.mark.usefixtures("only_given")
@pytest.mark.parametrize("variable", ["GATEWAY_PORT", "FLOWER_PORT"])
def test_a_port_that_was_set_and_is_taken_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, taken: int, variable: str
) -> None:
    with pytest.raises(SettingsError, match=rf"{variable}={taken} is taken: another program listens"):
        ports_of(monkeypatch, **{variable: taken})


@pytest.mark.usefixtures("only_given")
def test_the_defaults_value_is_no_default_when_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as server:
        try:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", 8400))
            server.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        with pytest.raises(SettingsError, match="GATEWAY_PORT=8400 is taken"):
            ports_of(monkeypatch, GATEWAY_PORT=8400)

        monkeypatch.delenv("GATEWAY_PORT")
        assert ports_of(monkeypatch)["GATEWAY_PORT"] != "8400"


@pytest.mark.usefixtures("only_given")
def test_two_variables_with_one_port_are_both_named(monkeypatch: pytest.MonkeyPatch) -> None:
    port = choose_port(None)
    with pytest.raises(SettingsError, match=f"GATEWAY_PORT and FLOWER_PORT are both {port}"):
        ports_of(monkeypatch, GATEWAY_PORT=port, FLOWER_PORT=port)


@pytest.mark.usefixtures("only_given")
def test_a_default_gives_way_to_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    if problem_of("127.0.0.1", 5555):
        pytest.skip("somebody listens on Flower's port")

    found = ports_of(monkeypatch, GATEWAY_PORT=5555)

    assert found["GATEWAY_PORT"] == "5555" != found["FLOWER_PORT"]


def test_a_default_that_is_taken_is_told_with_the_port_that_is_kept_for_later_starts(taken: int) -> None:
    first = Ports()
    chosen = first.choose("GATEWAY_PORT", taken)
    assert first.kept == {"GATEWAY_PORT": chosen}
    assert first.told == [
        f"GATEWAY_PORT: port {taken} is taken by another program, so it is {chosen}, also at later starts"
    ]

    later = Ports(dict(first.kept))
    assert later.choose("GATEWAY_PORT", taken) == chosen
    assert "was taken at an earlier start" in later.told[0]
    with socket.create_server(("127.0.0.1", 0)) as server:
        stranger = server.getsockname()[1]
        again = Ports({"GATEWAY_PORT": stranger})
        assert again.choose("GATEWAY_PORT", taken) not in (taken, stranger)
    free = choose_port(None)
    anew = Ports()
    assert (anew.choose("GATEWAY_PORT", free), anew.kept, anew.told) == (free, {}, [])


@pytest.mark.parametrize("content", ["", "[]", '{"GATEWAY_PORT": "x", "FLOWER_PORT": 0}'])
def test_kept_ports_that_cannot_be_read_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "ports.json").write_text(content)

    assert kept_ports(tmp_path) == {}


def test_no_two_servers_get_one_port_before_they_listen() -> None:
    ports = Ports()
    first = ports.choose("one", choose_port(None))

    assert ports.prefer("two", first) != first


@pytest.mark.usefixtures("only_given")
@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_ours_is_named(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with pytest.raises(SettingsError, match=f"GATEWAY_HOST={host} is not"):
        ports_of(monkeypatch, GATEWAY_PORT=choose_port(None), GATEWAY_HOST=host)


def test_a_port_below_1024_without_the_right_is_told_in_words() -> None:
    told = words_of(OSError(errno.EACCES, os.strerror(errno.EACCES)), "GATEWAY_PORT", 80, "127.0.0.1")

    assert told.startswith("GATEWAY_PORT=80 may not be used: this user has no right to listen below port 1024")
