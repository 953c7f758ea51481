"""Callers of the stand-in: the two APIs as a product would call them, and connections that only hang."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager
from typing import Any

import httpx
import orjson

from standin.client import Standin

TOKEN = "123456:stand-in"
KEY = "sk-stand-in"

RETURNS = """<passage n="1" title="Returns">
You can return shoes within 30 days. The box may be opened.
</passage>"""
SHIPPING = """<passage-0f n="2" title="Shipping">
Shipping costs 5 euros. Orders above 50 euros travel free of charge.
</passage-0f>"""


class Caller:
    """Calls as a product makes them. deadline_s: how long it waits for any answer."""

    def __init__(self, standin: Standin, deadline_s: float = 10.0) -> None:
        self.standin = standin
        self.http = httpx.Client(timeout=deadline_s, trust_env=False)

    def telegram(self, method: str, token: str = TOKEN, **params: Any) -> dict[str, Any]:
        """The answer's JSON with the HTTP status as `http`."""
        response = self.http.post(f"{self.standin.telegram_url}/bot{token}/{method}", json=params)
        return {**response.json(), "http": response.status_code}

    def say(self, chat_id: int, text: str, **params: Any) -> dict[str, Any]:
        return self.telegram("sendMessage", chat_id=chat_id, text=text, **params)

    def openai(self, path: str, key: str | None = KEY, **body: Any) -> httpx.Response:
        return self.http.post(f"{self.standin.openai_url}/{path}", json=body, headers=_authorization(key))

    def ask(self, question: str, *passages: str, key: str | None = KEY, **body: Any) -> httpx.Response:
        """A chat completion over the passages."""
        return self.openai("chat/completions", key, **chat(question, *passages, **body))

    def answer(self, question: str, *passages: str, **body: Any) -> str:
        text: str = self.ask(question, *passages, **body).json()["choices"][0]["message"]["content"]
        return text

    def open_stream(self, question: str, *passages: str) -> AbstractContextManager[httpx.Response]:
        """A streamed completion as it comes."""
        url, body = f"{self.standin.openai_url}/chat/completions", chat(question, *passages, stream=True)
        return self.http.stream("POST", url, json=body, headers=_authorization(KEY))

    def stream(self, question: str, *passages: str, **body: Any) -> list[dict[str, Any]]:
        """The events of a streamed completion, after its end was seen."""
        lines = self.ask(question, *passages, stream=True, **body).text.split("\n\n")
        assert lines[-2:] == ["data: [DONE]", ""]
        return [orjson.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def chat(question: str, *passages: str, model: str = "standin-chat", **body: Any) -> dict[str, Any]:
    """The body of a request for a completion."""
    system = {"role": "system", "content": "\n".join(["Answer from the passages.", *passages])}
    return {"model": model, "messages": [system, {"role": "user", "content": question}], **body}


def unread_message(standin: Standin, chat_id: int, text: str = "hello") -> socket.socket:
    """A connection on which a message was asked for and nothing has been read."""
    host, port = standin.base_url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    body = orjson.dumps({"chat_id": chat_id, "text": text})
    head = f"POST /bot{TOKEN}/sendMessage HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def _authorization(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}
