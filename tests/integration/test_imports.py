"""Files and pages on their way to being documents."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from shared.knowledge.extract import sandbox
from shared.resilience.egress import Egress
from shared.store.db.pool import Conn
from shared.store.knowledge import documents as store
from shared.store.knowledge import imports
from shared.store.knowledge.imports import Claim
from tasks.knowledge import imports as flow
from tasks.knowledge.imports import ATTEMPTS_MAX, Result, import_next
from tests.factories import Bot
from tests.integration.station import Station

SITEMAP = "https://shop.example/sitemap.xml"


def send(station: Station, bot: Bot, name: str, body: bytes, **described: str) -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        imports.queue_file(
            conn, bot.company_id, source=name, name=name, media_type=None, body=body, described=described
        )


def claim_one(conn: Conn) -> Claim:
    [claim] = imports.claim_several(conn, 0, limit=1, lease_s=60, held=(), company_max=1)
    return claim


def step(station: Station) -> Result:
    return import_next(station.r, 0)[0]


def documents(station: Station, bot: Bot) -> list[tuple[str, str, str]]:
    with station.r.db.transaction(bot.company_id) as conn:
        return [(d.source, d.title, d.language) for d in store.list_documents(conn, bot.company_id)]


def test_beyond_a_company_s_day_a_file_waits_and_says_so(station: Station, bot: Bot) -> None:
    station.execute("UPDATE daily_limits SET per_company = 1 WHERE kind = 'imports'")
    for name in ("one.md", "two.md"):
        send(station, bot, name, b"# Returns\n\nYou may send everything back within thirty days.")

    assert [step(station) for _ in range(3)] == [Result.DONE, Result.RETRY, Result.NOTHING_DUE]

    [(state, reason, attempts, waits)] = station.rows(
        "SELECT state, reason, attempts, due_at > now() FROM imports WHERE state = 'queued'"
    )
    assert (state, attempts, waits) == ("queued", 0, True)
    assert str(reason).startswith("imports: 1 of 1 a day are used by this company")


def test_a_file_becomes_a_document_once(station: Station, bot: Bot) -> None:
    body = "# Rückgabe\n\nSie können alles innerhalb von dreißig Tagen zurückschicken, und wir zahlen für das Paket."
    send(station, bot, "rueckgabe.md", body.encode(), category="returns", dated_at="2026-01-31T12:00:00+00:00")

    assert [step(station), step(station)] == [Result.DONE, Result.NOTHING_DUE]

    assert documents(station, bot) == [("rueckgabe.md", "Rückgabe", "german")]
    assert station.rows("SELECT category, dated_at::date::text, kind FROM documents") == [
        ("returns", "2026-01-31", "text")
    ]
    assert station.rows("SELECT state, body FROM imports") == [("done", None)]


def test_a_transcript_keeps_who_speaks(station: Station, bot: Bot) -> None:
    send(station, bot, "call.json", b'[{"speaker": "Ann", "text": "Hello"}, {"speaker": "Bob", "text": "My parcel?"}]')

    assert step(station) is Result.DONE

    assert station.rows("SELECT speaker FROM chunk_speakers ORDER BY 1") == [("Ann",), ("Bob",)]
    assert station.rows("SELECT kind, text FROM documents") == [("transcript", "Ann: Hello\nBob: My parcel?")]


def test_what_cannot_be_read_fails_with_its_reason_and_keeps_nobody(station: Station, bot: Bot) -> None:
    send(station, bot, "broken.pdf", b"%PDF nothing")
    send(station, bot, "good.txt", b"We open at nine.")

    assert {step(station), step(station)} == {Result.FAILED, Result.DONE}

    [(source, reason)] = station.rows("SELECT source, reason FROM imports WHERE state = 'failed'")
    assert source == "broken.pdf"
    assert "PDF" in str(reason)
    with station.r.db.transaction(bot.company_id) as conn:
        assert imports.retry_failed(conn, bot.company_id) == 1
    assert step(station) is Result.FAILED


def test_what_a_killed_worker_left_is_taken_up_and_fails_after_some_times(station: Station, bot: Bot) -> None:
    send(station, bot, "a.txt", b"We open at nine.")
    for _ in range(ATTEMPTS_MAX):
        with station.r.db.transaction() as conn:
            assert claim_one(conn) is not None  # and then nothing more is heard of it
        assert step(station) is Result.NOTHING_DUE
        station.execute("UPDATE imports SET due_at = now()")

    assert step(station) is Result.FAILED


def test_who_read_an_old_file_ends_nothing(station: Station, bot: Bot) -> None:
    send(station, bot, "a.txt", b"We open at nine.")
    with station.r.db.transaction() as conn:
        claim = claim_one(conn)
    send(station, bot, "a.txt", b"We open at ten.")

    with station.r.db.transaction(bot.company_id) as conn:
        assert imports.load(conn, claim) is None
        assert not imports.finish(conn, claim, None)
    assert step(station) is Result.DONE


# ------------------------------------------------------------------ websites


class Web:
    """Answers by address; what is not there is 404. asked: in order."""

    def __init__(self, station: Station, pages: dict[str, str | int], address: str = "93.184.216.34") -> None:
        self.pages = pages
        self.tags: dict[str, str] = {}
        self.asked: list[str] = []

        async def resolver(host: str, port: int) -> Sequence[str]:
            return [address]

        station.r.egress = Egress(transport=httpx.MockTransport(self), resolver=resolver)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        # the guard connects to the address that it judged; the name stands in the header
        url = f"https://{request.headers['host']}{request.url.raw_path.decode()}"
        self.asked.append(url)
        found = self.pages.get(url, 404)
        if isinstance(found, int):
            return httpx.Response(found)
        tag = self.tags.get(url, "")
        if tag and request.headers.get("if-none-match") == tag:
            return httpx.Response(304)
        return httpx.Response(200, text=found, headers={"content-type": "text/html", **({"etag": tag} if tag else {})})


def sitemap(*addresses: str, root: str = "urlset", entry: str = "url", lastmod: str = "") -> str:
    changed = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    entries = "".join(f"<{entry}><loc>{address}</loc>{changed}</{entry}>" for address in addresses)
    return f'<{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{root}>'


def read_site(station: Station, bot: Bot) -> list[Result]:
    with station.r.db.transaction(bot.company_id) as conn:
        imports.queue_site(conn, bot.company_id, SITEMAP, {"collection": "web"})
    results: list[Result] = []
    while (result := step(station)) is not Result.NOTHING_DUE:
        results.append(result)
    return results


def test_a_site_s_pages_become_documents_as_robots_txt_allows(station: Station, bot: Bot) -> None:
    inner = "https://shop.example/pages.xml"
    web = Web(station, {
        "https://shop.example/robots.txt": "User-agent: *\nDisallow: /private",
        SITEMAP: sitemap(inner, root="sitemapindex", entry="sitemap"),
        inner: sitemap("https://shop.example/returns", "https://shop.example/private/x", "https://other.example/",
                       "https://shop.example/gone"),
        "https://shop.example/returns": "<title>Returns</title><p>Within thirty days.",
    })  # fmt: skip

    assert sorted(result.value for result in read_site(station, bot)) == ["done", "done", "failed"]

    assert documents(station, bot) == [("https://shop.example/returns", "Returns", "english")]
    assert not {"https://shop.example/private/x", "https://other.example/"} & set(web.asked)
    assert station.rows("SELECT source, reason FROM imports WHERE state = 'failed'") == [
        ("https://shop.example/gone", "the page answers 404")
    ]

    web.pages["https://shop.example/returns"] = "<title>Returns</title><p>Within forty days."
    read_site(station, bot)
    assert station.rows("SELECT text FROM documents") == [("Within forty days.",)]


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ({}, "answers 404"),
        ({SITEMAP: "<html></html>"}, "not a valid sitemap"),
        ({SITEMAP: "<urlset>"}, "broken"),
        ({SITEMAP: '<!DOCTYPE x [<!ENTITY a "b">]><urlset/>'}, "entities"),
        ({"https://shop.example/robots.txt": 403}, "robots.txt answers 403"),
    ],
)
def test_a_site_that_cannot_be_read_fails(station: Station, bot: Bot, pages: dict[str, str | int], reason: str) -> None:
    Web(station, pages)

    assert read_site(station, bot) == [Result.FAILED]
    assert reason in str(station.rows("SELECT reason FROM imports")[0][0])


def test_a_slow_site_is_left_before_another_worker_would_read_it_too(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_s = flow.FETCH_DEADLINE_S + 5 + sandbox.WALL_S + sandbox.GRACE_S
    assert flow.SITE_WITHIN_S + last_s < flow.LEASE_S
    monkeypatch.setattr(flow, "SITE_WITHIN_S", 0.0)
    Web(station, {SITEMAP: sitemap("https://shop.example/returns")})

    assert read_site(station, bot)[:1] == [Result.RETRY]
    assert station.rows("SELECT state, reason FROM imports") == [("queued", "TimeoutError")]


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1"])
def test_no_site_leads_into_a_private_network(station: Station, bot: Bot, address: str) -> None:
    web = Web(station, {SITEMAP: sitemap()}, address)

    assert read_site(station, bot) == [Result.FAILED]
    assert web.asked == []


def test_a_page_that_two_weekly_readings_do_not_name_goes_with_its_document(station: Station, bot: Bot) -> None:
    here = [f"https://shop.example/{number}" for number in range(4)]
    pages: dict[str, str | int] = {page: f"<title>{page[-1]}</title><p>Page {page[-1]}." for page in here}
    web = Web(station, {SITEMAP: sitemap(*here), **pages})
    read_site(station, bot)
    assert len(documents(station, bot)) == 4

    web.pages[SITEMAP] = sitemap(*here[:3])
    web.pages[here[0]] = "<title>0</title><p>Another text."
    read_site(station, bot)
    assert len(documents(station, bot)) == 4, "once may be a mistake"
    assert station.rows("SELECT source FROM imports WHERE left_at IS NOT NULL") == [(here[3],)]
    assert station.rows("SELECT text FROM documents WHERE source = %s", here[0])[0][0].strip().endswith("Another text.")

    station.execute("UPDATE imports SET left_at = left_at - interval '7 days'")
    read_site(station, bot)
    assert [source for source, *_ in documents(station, bot)] == here[:3]

    web.pages[SITEMAP] = sitemap(here[0])  # most of it is missing at once
    read_site(station, bot)
    station.execute("UPDATE imports SET left_at = now() - interval '7 days' WHERE left_at IS NOT NULL")
    read_site(station, bot)
    assert len(documents(station, bot)) == 3, "then it is the sitemap that is broken"


def test_a_page_is_not_asked_for_again_before_its_sitemap_says_that_it_changed(station: Station, bot: Bot) -> None:
    page = "https://shop.example/returns"
    web = Web(station, {SITEMAP: sitemap(page, lastmod="2026-01-02T10:00:00Z"), page: "<p>Within thirty days."})
    read_site(station, bot)
    web.asked.clear()

    web.pages[page] = "<p>Within forty days."
    assert read_site(station, bot) == [Result.DONE]
    assert page not in web.asked

    web.pages[SITEMAP] = sitemap(page, lastmod="2026-01-03T10:00:00Z")
    read_site(station, bot)
    assert station.rows("SELECT text FROM documents") == [("Within forty days.",)]

    web.asked.clear()
    for why in (
        "UPDATE imports SET updated_at = now() - interval '28 days' WHERE kind = 'page'",  # whatever it says
        "DELETE FROM documents",
        "UPDATE imports SET seen = '{\"as\": 0}' WHERE kind = 'page'",  # other chunks come of it today
        "UPDATE imports SET described = '{\"category\": \"x\"}' WHERE kind = 'page'",
    ):
        station.execute(why)
        read_site(station, bot)
    assert web.asked.count(page) == 4
    assert len(documents(station, bot)) == 1


def test_a_page_that_its_site_says_is_as_it_was_stays_the_document_that_it_is(station: Station, bot: Bot) -> None:
    page = "https://shop.example/returns"
    web = Web(station, {SITEMAP: sitemap(page), page: "<p>Within thirty days."})
    web.tags[page] = '"one"'
    read_site(station, bot)
    before = station.rows("SELECT id, updated_at FROM documents")

    assert read_site(station, bot) == [Result.DONE, Result.DONE]
    assert station.rows("SELECT id, updated_at FROM documents") == before

    station.execute("DELETE FROM documents")
    read_site(station, bot)
    assert len(documents(station, bot)) == 1, "what is not there is asked for without the tag"

    web.pages[page], web.tags[page] = "<p>Within forty days.", '"two"'
    read_site(station, bot)
    assert station.rows("SELECT text FROM documents") == [("Within forty days.",)]


def test_a_page_that_comes_back_stays(station: Station, bot: Bot) -> None:
    here = [f"https://shop.example/{number}" for number in range(3)]
    pages: dict[str, str | int] = {page: f"<title>{page[-1]}</title><p>Page {page[-1]}." for page in here}
    web = Web(station, {SITEMAP: sitemap(*here), **pages})
    for named in (here, here[:2], here):
        web.pages[SITEMAP] = sitemap(*named)
        read_site(station, bot)

    assert station.rows("SELECT count(*) FROM imports WHERE left_at IS NOT NULL") == [(0,)]
    assert len(documents(station, bot)) == 3


def test_pages_of_a_site_that_fails_wait_for_its_breaker_without_an_attempt(station: Station, bot: Bot) -> None:
    """Five failures of its pages; the sixth is not asked for, and comes with the trial."""
    web = Web(station, {f"https://shop.example/{number}": 503 for number in range(3)})
    for number in range(3):
        with station.r.db.transaction(bot.company_id) as conn:
            address = f"https://shop.example/{number}"
            imports._queue(conn, bot.company_id, address, address, "page", None, {}, None)

    assert [step(station) for _ in range(3)] == [Result.RETRY] * 3

    assert len(web.asked) == 5
    assert station.rows("SELECT reason, due_at > now() + interval '50 seconds' FROM imports WHERE attempts = 0") == [
        ("the site does not answer; it is tried again soon", True)
    ]

    web.pages.update(dict.fromkeys(list(web.pages), "<p>We open at nine.</p>"))
    station.let_breakers_try()
    station.execute("UPDATE imports SET due_at = now()")
    assert [step(station) for _ in range(3)] == [Result.DONE] * 3
