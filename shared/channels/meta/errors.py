"""What the Graph API's answers mean. The subcode says more than the code, the code more than the HTTP status.

https://developers.facebook.com/docs/messenger-platform/error-codes
https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/error-codes
https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.channels.fields import inner, number_id
from shared.channels.http import RETRY_AFTER_MAX_S, Response
from shared.model import SendOutcome, SendStatus

PAIR_RATE = 131056
_PAIR_EXPONENT_MAX = 8  # 18 hours


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a refusal asks of us, and the static word for it."""

    status: SendStatus
    word: str


_RATE = Meaning("retry", "rate_limited")
_BUSY = Meaning("retry", "platform_error")
_TOKEN = Meaning("reauth", "bad_token")
_PROOF = Meaning("reauth", "bad_proof")
_WINDOW = Meaning("failed", "window_closed")
_UNREACHABLE = Meaning("failed", "unreachable")
_NOBODY = Meaning("failed", "chat_not_found")
_RIGHTS = Meaning("failed", "no_rights")
_POLICY = Meaning("failed", "policy")
_BAD = Meaning("failed", "bad_request")
_TEMPLATE = Meaning("failed", "bad_template")
_MEDIA = Meaning("failed", "bad_media")
_UNREGISTERED = Meaning("failed", "not_registered")

_SUBCODES: dict[int, Meaning] = {
    2018278: _WINDOW,
    2018065: _WINDOW,
    2534022: _WINDOW,  # Instagram's
    2018108: _UNREACHABLE,
    1545041: _UNREACHABLE,
    2018001: _NOBODY,
    2534014: _NOBODY,  # Instagram's
    2018300: Meaning("failed", "other_app_in_control"),
    2018144: Meaning("failed", "other_app_in_control"),
    2018028: _RIGHTS,
    2018021: _RIGHTS,
    2018027: _RIGHTS,
    2534037: _RIGHTS,  # Instagram's: access to messages is switched off
    2018022: _RATE,
    2018320: Meaning("failed", "outside_region"),
    2018047: _MEDIA,
    2018007: _MEDIA,
    **dict.fromkeys((458, 459, 460, 463, 464, 467, 492), _TOKEN),  # logged out, expired, password changed, …
}

_CODES: dict[int, Meaning] = {
    0: _TOKEN,
    102: _TOKEN,
    104: _TOKEN,
    190: _TOKEN,
    **dict.fromkeys((1, 2, 1200, 131000, 131016, 131057, 133004), _BUSY),
    **dict.fromkeys((4, 17, 32, 341, 429, 613, 130429), _RATE),
    **dict.fromkeys(range(80000, 80015), _RATE),
    PAIR_RATE: Meaning("retry", "pair_rate_limited"),
    551: _UNREACHABLE,
    131026: _UNREACHABLE,
    131047: _WINDOW,
    131050: Meaning("failed", "opted_out"),
    131049: Meaning("failed", "not_delivered"),
    130472: Meaning("failed", "not_delivered"),
    **dict.fromkeys((368, 130497, 131031, 131048), _POLICY),
    **dict.fromkeys((3, 10, 131005, 131030, 131037, 134011), _RIGHTS),
    131042: Meaning("failed", "payment"),
    **dict.fromkeys((131045, 133010), _UNREGISTERED),
    **dict.fromkeys((131008, 131009, 131021, 131051, 135000), _BAD),
    **dict.fromkeys((131052, 131053), _MEDIA),
    **dict.fromkeys(range(132000, 132100), _TEMPLATE),
}


def meaning(code: int | None, subcode: int | None = None, *, transient: bool = False) -> Meaning | None:
    """What an error's numbers mean; None where they say nothing. transient: Meta says that it will pass."""
    found = _SUBCODES.get(subcode or 0)
    if found is None and code is not None:
        found = _CODES.get(code)
    if found is not None:
        return found
    if transient:
        return _BUSY
    if code == 100:
        return _BAD
    return _RIGHTS if code is not None and 200 <= code < 300 else None


def outcome(
    response: Response, message_id: Callable[[Mapping[str, Any]], str | None], *, attempt: int = 1
) -> SendOutcome:
    """What an answer to a sent message means. attempt: which one this was, from 1."""
    status = response.status
    error = inner(response.body, "error")
    if 200 <= status < 300 and not error:
        found = message_id(response.body)
        if found is None:
            return SendOutcome("unknown_outcome", "unreadable_answer", http_status=status)
        return SendOutcome("sent", "sent", platform_message_id=found, http_status=status)
    refused = _of_error(error, status) if error else _of_status(status)
    retry_after_s = _retry_after_s(response, refused, attempt) if refused.status == "retry" else None
    return SendOutcome(refused.status, refused.word, retry_after_s=retry_after_s, http_status=status)


def _of_error(error: Mapping[str, Any], status: int) -> Meaning:
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    said = error.get("message")
    words = said[:1000].lower() if isinstance(said, str) else ""
    if "appsecret_proof" in words:
        return _PROOF
    if code == 100 and "length of param" in words:
        return Meaning("failed", "message_too_long")
    if code == 10 and "allowed window" in words:
        return _WINDOW
    # with an error in its body even a 502 is the platform's own word that it did nothing
    transient = status >= 500 or error.get("is_transient") is True
    return meaning(code, subcode, transient=transient) or _of_status(status if status >= 300 else 400)


def _number(value: Any) -> int | None:
    number = number_id(value)
    return None if number is None else int(number)


def _of_status(status: int) -> Meaning:
    """For answers that hold no error of the Graph API: somebody in between wrote them."""
    known = {401: _TOKEN, 403: Meaning("failed", "forbidden"), 413: Meaning("failed", "message_too_long"), 429: _RATE}
    if status in known:
        return known[status]
    if status in (500, 503):
        return _BUSY
    if 300 <= status < 400:
        return Meaning("retry", "redirected")
    # 502, 504 and their like come from somebody in between, who cannot know what the platform did
    return _BAD if 400 <= status < 500 else Meaning("unknown_outcome", "gateway_error")


def _retry_after_s(response: Response, refused: Meaning, attempt: int) -> float | None:
    """What the answer asks for; for a pair of numbers that talks too much 4^n s after the n-th refusal, from 0."""
    if response.retry_after_s is not None:
        return response.retry_after_s
    if refused.word == "pair_rate_limited":
        return min(4.0 ** min(max(attempt - 1, 0), _PAIR_EXPONENT_MAX), RETRY_AFTER_MAX_S)
    return None
