"""What Messenger, Instagram and WhatsApp share: signatures, the subscription's handshake, requests to the Graph API.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started (signature, handshake),
https://developers.facebook.com/docs/graph-api/guides/secure-requests (appsecret_proof).
What the answers mean is in meta_errors.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from shared.channels.fields import inner, number_id
from shared.channels.http import BROKEN, Response, exchange, get, post
from shared.channels.meta import errors as meta_errors
from shared.channels.signature import equals_any
from shared.model import ChannelHealth, SendOutcome

GRAPH_URL = "https://graph.facebook.com"
GRAPH_VERSION = "v23.0"  # a version lives for about two years

_HEADER_VALUE = re.compile(r"[!-~]+")


def signature(raw: bytes, secret: str) -> str:
    """What stands in `X-Hub-Signature-256`. secret: the application's."""
    return "sha256=" + hmac.new(secret.encode("utf-8", "surrogatepass"), raw, hashlib.sha256).hexdigest()


def signed(headers: Mapping[str, str]) -> bool:
    return headers.get("x-hub-signature-256", "").startswith("sha256=")


def verify(headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed the body. The older `X-Hub-Signature`, of SHA-1, counts for nothing."""
    return equals_any(headers.get("x-hub-signature-256"), [signature(raw, secret) for secret in secrets if secret])


def handshake(query: Mapping[str, str], verify_token: str) -> str | None:
    """The challenge of a subscription under our verify token; None if it is none or not ours."""
    if query.get("hub.mode") != "subscribe" or not equals_any(query.get("hub.verify_token"), [verify_token]):
        return None
    return query.get("hub.challenge") or None


def node_url(graph_url: str, version: str, node: str, edge: str) -> str:
    """`{graph_url}/{version}/{node}/{edge}`; the node is quoted, because it comes from a database."""
    return f"{graph_url.rstrip('/')}/{quote(version, safe='.')}/{quote(node, safe='')}/{edge}"


async def send(
    http: httpx.AsyncClient,
    url: str,
    credentials: Mapping[str, str],
    fields: Mapping[str, Any],
    message_id: Callable[[Mapping[str, Any]], str | None],
    *,
    attempt: int = 1,
) -> SendOutcome:
    """Post one message and say what became of it.

    credentials: `token`, and `app_secret` where requests are to be proved. message_id: finds the message's id in the
    body of a 200, None where it has none. attempt: which one this is, from 1.
    """
    request = _signed(credentials, fields)
    if request is None:
        return SendOutcome("reauth", "bad_token")  # no header can carry such a token: nothing has left
    answer = await exchange(http, url, *request)
    return answer if isinstance(answer, SendOutcome) else meta_errors.outcome(answer, message_id, attempt=attempt)


async def courtesy(
    http: httpx.AsyncClient, url: str, credentials: Mapping[str, str], fields: Mapping[str, Any]
) -> Response | None:
    """Post what nobody misses if it fails, such as that we type; None if it did."""
    request = _signed(credentials, fields)
    if request is None:
        return None
    try:
        return await post(http, url, *request)
    except BROKEN:
        return None  # the answer itself will meet whatever is wrong


async def health(http: httpx.AsyncClient, url: str, credentials: Mapping[str, str]) -> ChannelHealth:
    """Whether our application hears the node. url: of its `subscribed_apps`.
    https://developers.facebook.com/docs/graph-api/reference/page/subscribed_apps"""
    token = credentials.get("token", "")
    if not _HEADER_VALUE.fullmatch(token):
        return ChannelHealth("failing", "bad_token")
    if credentials.get("app_secret"):
        url += f"?appsecret_proof={app_secret_proof(token, credentials['app_secret'])}"
    try:
        answer = await get(http, url, {"authorization": f"Bearer {token}"})
    except BROKEN:
        return ChannelHealth("unknown")
    error, apps = inner(answer.body, "error"), answer.body.get("data")
    if error:
        found = meta_errors.meaning(_number(error.get("code")), _number(error.get("error_subcode")))
        refused = found is not None and found.status == "reauth"
        return ChannelHealth("failing", "bad_token") if refused else ChannelHealth("unknown")
    if answer.status != 200 or not isinstance(apps, list):
        return ChannelHealth("unknown")
    return ChannelHealth("ok") if apps else ChannelHealth("failing", "not_subscribed")


def _number(value: Any) -> int | None:
    found = number_id(value)
    return None if found is None else int(found)


def app_secret_proof(token: str, app_secret: str) -> str:
    return hmac.new(app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def _signed(credentials: Mapping[str, str], fields: Mapping[str, Any]) -> tuple[bytes, dict[str, str]] | None:
    """Body and headers: the token stands in a header, so that no address and no log has it. None if it is none."""
    token = credentials.get("token", "")
    if not _HEADER_VALUE.fullmatch(token):
        return None
    body = dict(fields)
    if credentials.get("app_secret"):
        body["appsecret_proof"] = app_secret_proof(token, credentials["app_secret"])
    return orjson.dumps(body), {"authorization": f"Bearer {token}"}
