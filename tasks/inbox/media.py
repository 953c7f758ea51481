"""Attachments: ask the platform for the address, fetch the bytes within limits, check them, and store them."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import shlex
import subprocess
import time
from datetime import datetime
from enum import Enum

import structlog

from shared.errors import AttachmentGone, DatabaseUnavailable, Permanent, SwitchboardError, Transient
from shared.model import Attachment, Destination, Location
from shared.resilience import outside
from shared.resilience.backoff import delay_s
from shared.resilience.breaker import BreakerOpen
from shared.resilience.egress import EgressRefused, Fetched, TooLarge
from shared.store.inbox import media
from shared.store.inbox.media import Claim, Stored, Wanted
from shared.store.tenants import limits
from shared.telemetry import work
from tasks.inbox import metrics
from tasks.inbox.resources import InboxResources
from tasks.tenants import allowance
from tasks.tenants.allowance import NotAllowed

log = structlog.get_logger(__name__)

TRIED_FOR_S = 24 * 3600.0
"""As long as a message of ours is tried. A platform that gives ids is asked for a new address at each attempt, and the
addresses that others send along are good for days or longer: an outage of hours loses nothing."""
ATTEMPTS_MIN, ATTEMPTS_MAX = 8, 200
"""What first came to be fetched after that time, because our own workers were away, is tried all the same. The pauses
double up to an hour and are half of that on average: about sixty attempts a day."""
RETRY_BASE_S, RETRY_CAP_S = 5.0, 3600.0
LEASE_MARGIN_S = 90.0
"""Beyond the fetching: the scan and the store."""
SCAN_DEADLINE_S = 60.0
_GONE = (401, 403, 404, 410)
_UNKNOWN_TYPES = ("", "application/octet-stream", "binary/octet-stream")


class Result(Enum):
    NOTHING_DUE = "nothing_due"
    STORED = "stored"
    ENDED = "ended"
    RETRY = "retry"


class Refused(Permanent):
    """The attachment is refused. reason: `too_large`, `type`, `infected`, `empty`, `address_refused`."""


def fetch_next(r: InboxResources, after_company: int) -> tuple[Result, int]:
    """Fetch the attachment that is due next. Returns how it went and the company it was of (the cursor for the next
    call). Raises DatabaseUnavailable when nothing could be claimed."""
    lease_s = r.settings.media.deadline_s + LEASE_MARGIN_S
    with r.db.transaction() as conn:
        claim = media.claim(conn, after_company, lease_s=lease_s)
    if claim is None:
        return Result.NOTHING_DUE, 0
    key = f"medium-{claim.company_id}-{claim.message_id}-{claim.ordinal}"
    with work.piece("inbox.fetch_medium", key, company=claim.company_id, message=claim.message_id):
        return _fetch_claimed(r, claim), claim.company_id


def _fetch_claimed(r: InboxResources, claim: Claim) -> Result:
    fields = {"company_id": claim.company_id, "message_id": claim.message_id, "ordinal": claim.ordinal}
    platform = "unknown"
    try:
        with r.db.transaction(claim.company_id) as conn:
            wanted = media.load(conn, claim)
            if wanted is None:  # the message lost its attachments meanwhile: nobody wants this any more
                media.fail(conn, claim, "deleted")
                work.ended("deleted")
                return Result.ENDED
            allowance.take(
                conn, claim.company_id, limits.MEDIA_FETCHES, now=r.clock.now(), contact_id=wanted.contact_id,
                spread=r.rng.random(),
            )  # fmt: skip
        platform = wanted.platform
        outcome, reason = _fetch(r, claim, wanted), None
    except DatabaseUnavailable:
        log.warning("media_left", **fields)  # the lease ends by itself, and the row is found again
        work.retried("database_unavailable")
        return Result.RETRY
    except SwitchboardError as e:
        outcome, reason = _failed(r, claim, e)
    except Exception as e:
        log.error("media_failed", **fields, exc_info=e)
        outcome, reason = _failed(r, claim, e)
    metrics.MEDIA.inc(platform, outcome.value, reason or "")
    log.info("media_fetched", **fields, outcome=outcome.value, reason=reason, attempts=claim.attempts)
    {Result.STORED: work.ended, Result.RETRY: work.retried}.get(outcome, work.failed)(outcome.value, reason)
    return outcome


def _fetch(r: InboxResources, claim: Claim, wanted: Wanted) -> Result:
    """Fetch the bytes. No database connection is held while another server is waited for."""
    fetched = _bytes(r, wanted)
    if fetched.status in _GONE:
        raise AttachmentGone("not_given" if fetched.status in (401, 403) else "gone")
    if not 200 <= fetched.status < 300:
        raise Transient(f"answered {fetched.status}")
    if not fetched.body:
        raise Refused("empty")
    mime = _mime(fetched, wanted.attachment)
    if not mime.startswith(r.settings.media.type_prefixes):
        raise Refused("type")
    if not _clean(r, fetched.body):
        raise Refused("infected")
    sha256 = hashlib.sha256(fetched.body).hexdigest()
    # The bytes first: a row never promises what is not there. Bytes without a row are found by their hash again.
    r.objects.put(claim.company_id, sha256, fetched.body)
    with r.db.transaction(claim.company_id) as conn:
        kept = media.stored(conn, claim, Stored(sha256, len(fetched.body), mime))
    return Result.STORED if kept else Result.ENDED


def _bytes(r: InboxResources, wanted: Wanted) -> Fetched:
    settings = r.settings
    place = Destination(wanted.account, r.vault.open_credentials(wanted.credentials), wanted.chat)

    async def fetch() -> Fetched:
        location = await _located(r, wanted, place)
        client = r.egress_ours if location.ours else r.egress

        async def get(within_s: float) -> Fetched:
            return await client.get(
                location.url, purpose="media", headers=location.headers, max_bytes=settings.media.max_bytes,
                deadline_s=within_s,
            )  # fmt: skip

        return await outside.fetch(r.outside.media, location.url, get, deadline_s=settings.media.deadline_s)

    try:
        return r.loop.run(fetch(), timeout_s=settings.media.deadline_s + 5)
    except TimeoutError as e:
        raise Transient("deadline") from e


async def _located(r: InboxResources, wanted: Wanted, place: Destination) -> Location:
    """Ask the platform where the bytes are. The deadline stands inside the breaker: silence counts as a failure."""
    deadline_s = min(r.settings.media.deadline_s, r.settings.delivery.send_deadline_s)

    async def once() -> Location:
        async with asyncio.timeout(deadline_s):
            return await r.platforms[wanted.platform].locate(r.http, place, wanted.attachment)

    breaker = r.outside.media.of(wanted.platform, str(wanted.channel_id))
    return await outside.call(breaker, once, ends_at_s=time.monotonic() + deadline_s)


def _mime(fetched: Fetched, attachment: Attachment) -> str:
    """Return the media type that the server says, else the platform's, else the one of its name."""
    guessed = mimetypes.guess_type(attachment.name or "")[0]
    for said in (fetched.headers.get("content-type"), attachment.mime, guessed):
        mime = (said or "").partition(";")[0].strip().lower()
        if mime not in _UNKNOWN_TYPES and len(mime) < 128 and mime.isascii() and mime.isprintable():
            return mime
    return "application/octet-stream"


def _clean(r: InboxResources, content: bytes) -> bool:
    """Ask the operator's scanner for its verdict. Raises Transient if it gives none."""
    command = r.settings.media.scan_command
    if not command:
        return True
    try:
        done = subprocess.run(
            shlex.split(command), input=content, timeout=SCAN_DEADLINE_S, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as e:
        log.error("media_scan_failed", error=type(e).__name__)
        raise Transient("scan") from e
    if done.returncode not in (0, 1):
        log.error("media_scan_failed", exit_code=done.returncode)
        raise Transient("scan")
    return done.returncode == 0


def _failed(r: InboxResources, claim: Claim, error: Exception) -> tuple[Result, str]:
    """Record why the fetch failed and whether it is tried again. Returns that and the reason, a fixed word."""
    with r.db.transaction(claim.company_id) as conn:
        if isinstance(error, Refused | EgressRefused | TooLarge):
            media.refuse(conn, claim, error.reason)
            return Result.ENDED, error.reason
        if isinstance(error, AttachmentGone):
            media.fail(conn, claim, error.reason)
            return Result.ENDED, error.reason
        if isinstance(error, BreakerOpen) and not _waited_enough(media.wanted_since(conn, claim), r.clock.now()):
            media.postpone(conn, claim, delay_s=error.retry_after_s or 0.0, reason="breaker_open", tried=False)
            return Result.RETRY, "breaker_open"
        if isinstance(error, NotAllowed):
            wait_s = error.retry_after_s or 0.0
            media.postpone(conn, claim, delay_s=wait_s, reason=error.reason, tried=False)
            return Result.RETRY, error.reason
        # the rest may pass: a key that is missing now, a parser of ours that will be fixed
        reason = "unreachable" if isinstance(error, Transient) else "error"
        if _tried_enough(claim, media.wanted_since(conn, claim), r.clock.now()):
            media.fail(conn, claim, reason)
            return Result.ENDED, reason
        wait_s = delay_s(claim.attempts, RETRY_BASE_S, RETRY_CAP_S, r.rng)
        wait_s = max(wait_s, getattr(error, "retry_after_s", None) or 0.0)
        media.postpone(conn, claim, delay_s=wait_s, reason=reason)
        return Result.RETRY, reason


def _waited_enough(since: datetime | None, now: datetime) -> bool:
    """Whether an attachment of a host that answers nobody has waited for so long that it may end with few attempts."""
    return since is None or (now - since).total_seconds() >= 2 * TRIED_FOR_S


def _tried_enough(claim: Claim, since: datetime | None, now: datetime) -> bool:
    """Return whether no further attempt is made. since: None if the lease is lost, and with it our right to decide."""
    if since is None or claim.attempts >= ATTEMPTS_MAX:
        return True
    return claim.attempts >= ATTEMPTS_MIN and (now - since).total_seconds() >= TRIED_FOR_S
