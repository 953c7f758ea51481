"""What a server that is none of PostgreSQL's says to the tunnel of backups."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from tasks.lifecycle.backup import tunnel


class Program:
    """The end of a client program. got: what it was sent."""

    def __init__(self) -> None:
        self.got, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.got += data

    async def drain(self) -> None:
        """Takes all."""

    def close(self) -> None:
        self.closed = True


def told(said: bytes) -> Program:
    async def copy() -> Program:
        server, program = asyncio.StreamReader(), Program()
        server.feed_data(said)
        server.feed_eof()
        await tunnel._copy(server, cast(Any, program), before=tunnel._offer)
        return program

    return asyncio.run(asyncio.wait_for(copy(), 10))


@pytest.mark.parametrize("length", [0, 3, 4 + tunnel.MESSAGE_MAX_BYTES + 1, 2**32 - 1])
def test_a_message_of_an_impossible_length_ends_the_connection_and_nothing_is_handed_on(length: int) -> None:
    program = told(b"R" + length.to_bytes(4, "big") + b"x" * 100)

    assert (program.got, program.closed) == (b"", True)


def test_the_offer_to_tie_a_login_to_the_connection_is_left_out() -> None:
    names = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
    offer = b"R" + (8 + len(names)).to_bytes(4, "big") + (10).to_bytes(4, "big") + names

    left = b"SCRAM-SHA-256\0\0"
    assert told(offer + b"later").got == b"R" + (8 + len(left)).to_bytes(4, "big") + offer[5:9] + left + b"later"
