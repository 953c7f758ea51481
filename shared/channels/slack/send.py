"""Slack's send API: requests, and what its answers mean. It refuses with a 200 and `ok: false`.

https://docs.slack.dev/reference/methods/chat.postMessage · https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import orjson

from shared.channels import http as wire
from shared.channels.fields import bounded, inner, opaque_id, written
from shared.channels.http import Response
from shared.channels.markup import to_mrkdwn
from shared.channels.slack.update import split_address
from shared.errors import AttachmentGone, ServiceFailed
from shared.model import Attachment, ChannelHealth, Destination, Location, Outgoing, SendOutcome
from shared.text import storable

METADATA_TYPE = "switchboard_part"

_FAILED = {
    "not_in_channel": "not_in_channel",
    "channel_not_found": "chat_not_found",
    "user_not_found": "chat_not_found",
    "thread_not_found": "thread_not_found",
    "message_not_found": "thread_not_found",
    "cannot_reply_to_message": "thread_not_found",
    "is_archived": "archived",
    "is_inactive": "archived",
    "msg_too_long": "message_too_long",
    "msg_blocks_too_long": "message_too_long",
    "no_text": "message_empty",
    "restricted_action": "no_rights",
    "restricted_action_read_only_channel": "no_rights",
    "restricted_action_thread_only_channel": "no_rights",
    "restricted_action_thread_locked": "no_rights",
    "restricted_action_non_threadable_channel": "no_rights",
    "access_denied": "no_rights",
    "as_user_not_supported": "no_rights",
    "ekm_access_denied": "no_rights",
    "messages_tab_disabled": "no_rights",
    "slack_connect_canvas_sharing_blocked": "no_rights",
    "slack_connect_blocked_file_type": "no_rights",
    "cannot_dm_bot": "to_bot",
    "team_access_not_granted": "no_rights",
    "metadata_too_large": "bad_request",
}
_REAUTH = {
    "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope",
    "no_permission", "org_login_required", "not_allowed_token_type", "two_factor_setup_required",
}  # fmt: skip
_RETRY = {
    "ratelimited": "rate_limited",
    "rate_limited": "rate_limited",
    "message_limit_exceeded": "rate_limited",
    "team_added_to_org": "platform_error",
    "service_unavailable": "platform_error",
    "request_timeout": "platform_error",  # the request came in pieces or not whole: nothing was done
    "accesslimited": "platform_error",
}
# In Slack's own words: "it's possible some aspect of the operation succeeded before the error was raised".
_UNKNOWN_OUTCOME = {"internal_error", "fatal_error"}


def headers(place: Destination) -> dict[str, str] | None:
    """None: there is no token, or one that no header can carry."""
    token = place.credentials.get("token", "").strip()
    return {"authorization": f"Bearer {token}"} if token and token.isascii() and token.isprintable() else None


def fields_of(outgoing: Outgoing) -> dict[str, Any]:
    """The arguments of chat.postMessage. What is in angle brackets in our text stays text: nobody is notified."""
    channel, thread = split_address(outgoing.place.chat)
    metadata = {"event_type": METADATA_TYPE, "event_payload": {"ref": outgoing.ref}}
    fields = {"channel": channel, "text": to_mrkdwn(storable(outgoing.text)), "metadata": metadata}
    return {**fields, **({"thread_ts": thread} if thread else {}), "unfurl_links": False, "unfurl_media": False}


async def deliver(http: httpx.AsyncClient, url: str, outgoing: Outgoing) -> SendOutcome:
    bearer = headers(outgoing.place)
    if bearer is None:
        return SendOutcome("reauth", "bad_token")
    answered = await wire.exchange(http, url, orjson.dumps(fields_of(outgoing)), bearer)
    return outcome(answered) if isinstance(answered, Response) else answered


def outcome(response: Response) -> SendOutcome:
    """What an answer of chat.postMessage means."""
    status, ok = response.status, response.body.get("ok")
    if status == 429:
        return _retry("rate_limited", response)
    if ok is True and 200 <= status < 300:
        return _sent(response)
    error = response.body.get("error")
    if ok is False and isinstance(error, str):
        return _refused(error, response)
    if 200 <= status < 300:
        return SendOutcome("unknown_outcome", "unreadable_answer", http_status=status)
    if 300 <= status < 400:
        return SendOutcome("retry", "redirected", http_status=status)
    if status in (401, 403):
        return SendOutcome("reauth", "bad_token", http_status=status)
    if status == 503:
        return _retry("platform_error", response)
    if status < 500:
        return SendOutcome("failed", "bad_request", http_status=status)
    # 500: part of it may have been done; 502, 504 come from somebody in between, who cannot know
    return SendOutcome("unknown_outcome", "gateway_error", http_status=status)


def _sent(response: Response) -> SendOutcome:
    ts = bounded(opaque_id(response.body.get("ts")), 128)
    if ts is None:
        return SendOutcome("unknown_outcome", "unreadable_answer", http_status=response.status)
    return SendOutcome("sent", "sent", platform_message_id=ts, http_status=response.status)


def _refused(error: str, response: Response) -> SendOutcome:
    if error in _RETRY:
        return _retry(_RETRY[error], response)
    if error in _REAUTH:
        meaning = "missing_scope" if error in ("missing_scope", "no_permission") else "bad_token"
        return SendOutcome("reauth", meaning, http_status=response.status)
    if error in _UNKNOWN_OUTCOME:
        return SendOutcome("unknown_outcome", "platform_error", http_status=response.status)
    return SendOutcome("failed", _FAILED.get(error, "bad_request"), http_status=response.status)


def _retry(meaning: str, response: Response) -> SendOutcome:
    return SendOutcome("retry", meaning, retry_after_s=response.retry_after_s, http_status=response.status)


async def health(http: httpx.AsyncClient, url: str, place: Destination) -> ChannelHealth:
    """Whether the bot's token is good; whether events are on, Slack does not say.
    https://docs.slack.dev/reference/methods/auth.test"""
    named = headers(place)
    if named is None:
        return ChannelHealth("failing", "bad_token")
    try:
        answer = await wire.post(http, url, b"{}", named)
    except wire.BROKEN:
        return ChannelHealth("unknown")
    if answer.body.get("ok") is True:
        return ChannelHealth("ok")
    refused = written(answer.body.get("error")) in _REAUTH
    return ChannelHealth("failing", "bad_token") if refused else ChannelHealth("unknown")


async def set_status(http: httpx.AsyncClient, url: str, place: Destination) -> None:
    """Show in an assistant's thread that an answer is being written; Slack has no such thing elsewhere."""
    channel, thread = split_address(place.chat)
    bearer = headers(place)
    if thread is None or bearer is None or not channel.startswith("D"):
        return
    fields = {"channel_id": channel, "thread_ts": thread, "status": "is typing…"}
    try:
        await wire.post(http, url, orjson.dumps(fields), bearer)
    except wire.BROKEN:
        return  # a courtesy: the answer itself will meet whatever is wrong


async def locate(http: httpx.AsyncClient, api_url: str, place: Destination, attachment: Attachment) -> Location:
    """A file's address, which wants the token. Files from another organisation come with nothing but their id: then
    Slack is asked. https://docs.slack.dev/reference/objects/file-object

    Raises AttachmentGone, Transient.
    """
    url = attachment.url
    if url is None and attachment.id is not None:
        url = await _asked(http, f"{api_url}/files.info", place, attachment.id)
    if url is None:
        raise AttachmentGone
    # a file may lie anywhere (is_external), and only Slack may see the token
    ours, slacks = _origin(url) == _origin(api_url), _origin(url)[1].endswith(".slack.com") and url.startswith("https:")
    return Location(url, (headers(place) or {}) if ours or slacks else {}, ours=ours)


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.scheme, f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "", ""


async def _asked(http: httpx.AsyncClient, url: str, place: Destination, file_id: str) -> str | None:
    bearer = headers(place)
    if bearer is None:
        raise AttachmentGone
    form = {"content-type": "application/x-www-form-urlencoded", **bearer}  # files.info takes no JSON
    try:
        response = await wire.post(http, url, urlencode({"file": file_id}).encode(), form)
    except wire.BROKEN as e:
        raise ServiceFailed(type(e).__name__) from e
    if response.body.get("error") in ("file_not_found", "file_deleted", "access_denied", "not_visible"):
        raise AttachmentGone
    if response.body.get("ok") is not True:
        raise wire.not_said("files.info", response)
    file = inner(response.body, "file")
    return written(file.get("url_private_download"), 2048) or written(file.get("url_private"), 2048)
