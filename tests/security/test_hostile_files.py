"""Files that mean harm: each is read in a child that has limits, and keeps nobody else from being read."""

from __future__ import annotations

import io
import os
import resource
import signal
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.errors import Permanent
from shared.knowledge.extract import TITLE_CHARS, ReaderLost, Unreadable, read_document, sandbox
from shared.knowledge.extract.base import CHARS_MAX, CHUNKED_CHARS_MAX, Parsed
from shared.store.knowledge import documents, imports
from tasks.dispatch import ClaimCapacity
from tasks.knowledge.imports import Result, import_next, take_due
from tests.factories import Bot, make_bot
from tests.integration.station import Station
from tests.unit.test_extract import docx, paragraph
from workers.commands.data import add_file

GROWN_MAX_KB = 300 * 1024
"""What this process may grow by while a child reads: a file and its text, a few times over."""
SLOW = b"<a b>" * 3_000_000
"""Takes seconds on any machine: as large as a page may be made, and all of it tags."""


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url)
    yield station
    station.close()


@pytest.fixture
def bot(station: Station) -> Bot:
    return make_bot(station.inbox.server.admin_url)


def read(kind: str, raw: bytes) -> Parsed:
    return read_document(kind, raw, title=None, name="file")


def send(station: Station, bot: Bot, name: str, body: bytes) -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        imports.queue_file(conn, bot.company_id, source=name, name=name, media_type=None, body=body, described={})


def states(station: Station, bot: Bot) -> list[tuple[object, ...]]:
    return station.rows("SELECT state, attempts FROM imports WHERE company_id = %s ORDER BY id", bot.company_id)


STALLING = {
    "headings.md": b"# " + b" " * 6_000 + b"x" + b" #" * 6_000 + b"x",
    "table.csv": b',"a",\n' + b'"' * 190 + b"x",
    "quoted.csv": b',"a",\n' + b'"' * 4_000 + b"x",
    "voices.vtt": b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"<v." * 60_000,
    "blanks.vtt": b"WEBVTT\n\n00:00.000 --> 00:01.000\n<v" + b" " * 100_000,
    "names.srt": b"1\n00:00:01,000 --> 00:00:02,000\n" + b"A" * 200_000,
    "one_speaker.vtt": b"WEBVTT\n\n" + b"00:00.000 --> 00:00.001\n<v A>" + b"\n\n00:00.000 --> 00:00.001\nx" * 60_000,
}


@pytest.mark.parametrize("name", STALLING)
@pytest.mark.timeout(60)
def test_a_file_made_to_stall_an_expression_is_read_like_any_other(name: str) -> None:
    kind = {"md": "markdown", "csv": "csv", "vtt": "vtt", "srt": "srt"}[name.rpartition(".")[2]]
    assert read(kind, STALLING[name]).chunks


WIDE = b",".join(b"column %d" % n for n in range(100_000)) + b"\n" + b"," * 100_000 + b"\n"
LONG_HEADER = b",".join(b"x" * 1_000 for _ in range(300)) + b"\n" + b"1," * 150_000
REPEATED = b"y" * 150_000 + b",b\n" + b"1,2\n" * 99_000


@pytest.mark.parametrize(("raw", "told"), [(WIDE, "columns"), (LONG_HEADER, "columns"), (REPEATED, "characters")])
def test_a_table_never_becomes_more_than_a_document_may_be(raw: bytes, told: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unreadable, match=told):
        read("csv", raw)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWN_MAX_KB


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("markdown", b"# " + b"t" * 2_000_000 + b"\n\nWe open at nine."),
        ("html", b"<title>" + b"t" * 2_000_000 + b"</title><h1>" + b"h" * 1_000_000 + b"</h1><p>We open at nine."),
        ("docx", docx(paragraph("t" * 2_000_000, "Title") + paragraph("We open at nine."))),
        ("transcript", b'{"title": "' + b"t" * 2_000_000 + b'", "turns": [{"text": "Hello", "start": 1}]}'),
    ],
)
def test_titles_are_cut_where_they_enter(kind: str, raw: bytes) -> None:
    found = read(kind, raw)

    assert found.title
    assert len(found.title) <= TITLE_CHARS
    assert all(len(chunk.title) <= TITLE_CHARS for chunk in found.chunks)


def test_headings_that_each_chunk_would_repeat_are_counted_while_they_are_made() -> None:
    headings = "".join(f"{'#' * level} {'h' * 400} {level}\n" for level in range(1, 7))
    with pytest.raises(Unreadable, match="sections"):
        read("markdown", (headings + "###### a\nb\n" * 200_000).encode())
    long = "\n".join(f"# {'h' * 450} {number}\ntext" for number in range(8_000))
    found = read("markdown", long.encode())
    assert sum(len(chunk.title) + len(chunk.text) for chunk in found.chunks) <= CHUNKED_CHARS_MAX
    assert len(found.text) <= CHARS_MAX


def test_a_listing_of_documents_that_had_long_titles_is_short(station: Station, bot: Bot) -> None:
    for number in range(3):
        send(station, bot, f"{number}.md", b"# " + b"t" * 2_000_000 + f"\n\nWe open at {number}.".encode())
        assert import_next(station.r, 0)[0] is Result.DONE

    with station.r.db.transaction(bot.company_id) as conn:
        listed = documents.list_documents(conn, bot.company_id)
    assert [len(document.title) for document in listed] == [TITLE_CHARS] * 3


def bomb(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("word/document.xml", b" " * 70_000_000)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "raw", "told"),
    [
        ("docx", bomb(zipfile.ZIP_DEFLATED), "unfolds"),
        ("docx", bomb(zipfile.ZIP_BZIP2), "compressed in another way"),
        ("transcript", b'{"turns": [' + b'{"a": {}},' * 500_000 + b"1]}", "memory|not a transcript"),
        ("transcript", b'[{"text": "x", "start": 1e999}]', None),
        ("transcript", b"[" * 2_000_000, "not valid JSON|crashed"),
        ("html", b"<div>" * 200_000 + b"We open at nine.", "nested"),
        ("html", b"<div>" * 3_000 + b"We open at nine.", None),
        ("html", b'<meta charset="punycode"><p>' + b"a-" * 500_000, None),
    ],
)
def test_what_unfolds_or_nests_is_refused_or_read_within_bounds(kind: str, raw: bytes, told: str | None) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if told is None:
        assert read(kind, raw).chunks
    else:
        with pytest.raises(Unreadable, match=told):
            read(kind, raw)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWN_MAX_KB


def test_a_slow_file_fails_after_one_time_out(station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "WALL_S", 1)
    send(station, bot, "slow.html", SLOW)

    assert import_next(station.r, 0)[0] is Result.FAILED

    assert states(station, bot) == [("failed", 1)]
    assert "longer than" in str(station.rows("SELECT reason FROM imports")[0][0])


def test_a_company_s_slow_files_leave_a_thread_for_another_company(station: Station, bot: Bot) -> None:
    other = make_bot(station.inbox.server.admin_url)
    for number in range(8):
        send(station, bot, f"slow{number}.html", SLOW[:100])
    send(station, other, "hours.txt", b"We open at nine.")

    taken = take_due(station.r, 0, ClaimCapacity(4, company_max=3))
    again = take_due(station.r, 0, ClaimCapacity(1, tuple(taken.companies), company_max=1))

    assert sorted(taken.companies) == sorted([bot.company_id] * 3 + [other.company_id])
    assert not [company for company in again.companies if company in taken.companies]


def test_another_company_s_import_ends_while_slow_files_are_read(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "WALL_S", 4)
    other = make_bot(station.inbox.server.admin_url)
    for number in range(3):
        send(station, bot, f"slow{number}.html", SLOW)
    ended: list[str] = []

    def slowly() -> None:
        import_next(station.r, bot.company_id - 1)
        ended.append("slow")

    with ThreadPoolExecutor(3) as pool:
        under_way = [pool.submit(slowly) for _ in range(3)]
        send(station, other, "hours.txt", b"We open at nine.")
        assert import_next(station.r, bot.company_id)[0] is Result.DONE
        ended.append("other")
        for each in under_way:
            each.result()

    assert ended[0] == "other"
    assert states(station, bot) == [("failed", 1)] * 3


def test_a_reader_that_is_killed_loses_nothing_and_doubles_nothing(station: Station, bot: Bot) -> None:
    send(station, bot, "slow.html", SLOW[:1_000_000] + b"We open at nine.")
    read("text", b"started")
    server = sandbox._server._process
    assert server is not None
    timer = threading.Timer(0.2, os.kill, (server.pid, signal.SIGKILL))
    timer.start()

    first = import_next(station.r, 0)[0]
    timer.join()

    assert first in (Result.RETRY, Result.DONE)  # as quick as the machine is
    station.execute("UPDATE imports SET due_at = now()")
    import_next(station.r, 0)
    assert [state for state, _ in states(station, bot)] == ["done"]
    assert station.rows("SELECT count(*) FROM documents") == [(1,)]


def test_what_kills_its_reader_from_outside_twice_fails(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> Parsed:
        raise ReaderLost("the process that read it was ended from outside", killed=True)

    monkeypatch.setattr("shared.knowledge.extract.read_document", killed)
    send(station, bot, "large.pdf", b"%PDF")

    assert import_next(station.r, 0)[0] is Result.RETRY
    station.execute("UPDATE imports SET due_at = now()")
    assert import_next(station.r, 0)[0] is Result.FAILED


def test_the_reader_knows_none_of_our_secrets() -> None:
    read("text", b"We open at nine.")
    process = sandbox._server._process
    assert process is not None
    try:
        with open(f"/proc/{process.pid}/environ", "rb") as environment:
            names = {pair.partition(b"=")[0] for pair in environment.read().split(b"\0") if pair}
    except FileNotFoundError:
        pytest.skip("this system shows no environments")
    assert names <= {b"PYTHONPATH", b"PYTHONIOENCODING", b"LC_CTYPE"}


def test_the_command_line_reads_by_the_same_way(
    station: Station, bot: Bot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "WALL_S", 1)
    path = tmp_path / "slow.html"
    path.write_bytes(SLOW)

    with (
        psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn,
        pytest.raises(Permanent, match="longer than"),
    ):
        add_file(conn, bot.company_id, path)
