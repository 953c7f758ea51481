"""How the Graph API is spoken to: parameters, tokens, and errors as its documentation words them.

https://developers.facebook.com/docs/graph-api/guides/error-handling
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from standin.wire import Request

Params = dict[str, Any]


class Refused(Exception):
    """An answer with an error."""

    def __init__(
        self, code: int, message: str, *, subcode: int | None = None, status: int = 400, transient: bool = False,
        kind: str = "OAuthException", **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.error: dict[str, Any] = {"message": message, "type": kind, "code": code, **more}
        if subcode is not None:
            self.error["error_subcode"] = subcode
        if transient:
            self.error["is_transient"] = True

    def body(self) -> bytes:
        return orjson.dumps({"error": {**self.error, "fbtrace_id": "A" + secrets.token_urlsafe(16)}})


@dataclass(slots=True)
class Node:
    """A page, an Instagram account or a phone number, and the token that speaks for it.

    kind: what it was registered as; it decides which edges it has. proof: whether requests must be proved with
    app_secret. echo_url: where the application's webhook is; None: what it sends is not echoed. echo_first: the
    echo arrives before the send is answered. subscribed: application → the fields it gets. page_id: of an Instagram
    account that is reached through this page.
    """

    id: str
    kind: str
    token: str
    name: str = ""
    app_id: str = "1517776481860111"
    app_secret: str = ""
    proof: bool = False
    page_id: str | None = None
    echo_url: str | None = None
    echo_first: bool = False
    subscribed: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Graph:
    """Who may call. revoked: tokens that were good once."""

    nodes: dict[str, Node] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)

    def by_token(self, token: str) -> Node:
        """Raises Refused."""
        if not token:
            raise Refused(104, "An access token is required to request this resource.")
        if token in self.revoked:
            words = "Error validating access token: The session has been invalidated because the user changed their"
            raise Refused(190, f"{words} password or Facebook has changed the session for security reasons.",
                          subcode=460)  # fmt: skip
        node = next((node for node in self.nodes.values() if node.token == token), None)
        if node is None:
            raise Refused(190, "Invalid OAuth access token - Cannot parse access token")
        return node


def params_of(request: Request) -> Params:
    """Query string and body together, the body wins. Raises Refused when it says JSON and is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return {**request.query, **dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))}
    if not request.body:
        return dict(request.query)
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise Refused(100, "(#100) The request body is no JSON object", kind="OAuthException")
    return {**request.query, **body}


def token_of(request: Request, params: Params) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else str(params.get("access_token") or "")


def check_proof(node: Node, params: Params) -> None:
    """Raises Refused when the request should be proved and is not, or wrongly."""
    given = params.get("appsecret_proof")
    if given is None and node.proof:
        words = "API calls from the server require an appsecret_proof argument"
        raise Refused(100, words, kind="GraphMethodException")
    right = hmac.new(node.app_secret.encode(), node.token.encode(), hashlib.sha256).hexdigest()
    if given is not None and given != right:
        words = "Invalid appsecret_proof provided in the API argument"
        raise Refused(100, words, kind="GraphMethodException")


def unknown_object(method: str, node_id: str) -> Refused:
    return Refused(
        100,
        f"Unsupported {method.lower()} request. Object with ID '{node_id}' does not exist, cannot be loaded due to"
        " missing permissions, or does not support this operation. Please read the Graph API documentation at"
        " https://developers.facebook.com/docs/graph-api",
        subcode=33,
        kind="GraphMethodException",
    )
