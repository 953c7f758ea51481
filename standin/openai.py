"""The OpenAI API: chat completions (streamed or whole), embeddings, transcriptions, models, with its error bodies; and
reranking as Cohere's API has it."""

from __future__ import annotations

import base64
import io
import re
import struct
import time
import wave
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import HTTP
from functools import partial
from typing import Any, NoReturn

import orjson

from standin import extractive, forms, prices
from standin.faults import Fault
from standin.records import Record
from standin.serving import Reply, serve
from standin.wire import Exchange
from standin.world import World

MODELS = ("standin-1", "standin-chat", "standin-chat-mini", "standin-embed")
DIMENSIONS_DEFAULT = 384
DIMENSIONS_MAX = 4096
MESSAGE_TOKENS = 4  # what every message costs besides its text

_PIECE = re.compile(r"\S+\s*|\s+")

Body = dict[str, Any]


class Refused(Exception):
    """An answer with an error object."""

    def __init__(
        self, status: int, message: str, kind: str = "invalid_request_error", param: str | None = None,
        code: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code}


async def handle(world: World, exchange: Exchange) -> None:
    """One call below `/v1`."""
    request = exchange.request
    method, perform = ENDPOINTS.get((request.method, request.path), (request.path, _no_endpoint))
    body: Any
    if perform is _transcribe:
        body = _form_of(exchange)
    elif perform is _prices:
        body = dict(request.query)
    else:
        try:
            body = orjson.loads(request.body) if request.body else {}
        except orjson.JSONDecodeError:
            body = None
    attempt = world.attempts.append(target="openai", method=method, key=_bearer(exchange), outcome="open")
    if isinstance(body, dict):
        attempt |= {"model": body.get("model"), "messages": body.get("messages"), "stream": bool(body.get("stream"))}
        world.keep_prompt(attempt)
    await serve(world, exchange, attempt, partial(_act, world, attempt, perform, body), _refuse)


def _bearer(exchange: Exchange) -> str:
    scheme, _, key = exchange.request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _act(
    world: World,
    attempt: Record,
    perform: Callable[[World, Record, Body, Fault | None], Reply],
    body: Any,
    fault: Fault | None,
) -> Reply:
    try:
        if perform is not _prices:
            _check_key(world, attempt["key"])
        if not isinstance(body, dict):
            raise Refused(400, "We could not parse the JSON body of your request.")
        return perform(world, attempt, body, fault)
    except Refused as refused:
        return Reply(refused.status, orjson.dumps({"error": refused.error}))


def _check_key(world: World, key: str) -> None:
    if not key:
        raise Refused(
            401, "You didn't provide an API key. You need to provide your API key in an Authorization header."
        )
    if key not in world.keys:
        shown = f"{key[:3]}{'*' * max(0, len(key) - 7)}{key[-4:]}"
        raise Refused(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def _refuse(fault: Fault) -> Reply:
    """The usual words of each status; a description or code of the fault's own wins."""
    message, kind, code = {
        401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
        404: ("The model does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"),
        429: ("Rate limit reached for requests. Please try again later.", "requests", "rate_limit_exceeded"),
        500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
        502: ("Bad gateway.", "server_error", None),
        503: ("The engine is currently overloaded, please try again later.", "server_error", None),
    }.get(fault.status, ("The request was refused.", "invalid_request_error", None))
    error = {"message": fault.description or message, "type": kind, "param": None, "code": fault.code or code}
    after = fault.retry_after if fault.retry_after is not None or fault.status != 429 else 1
    headers = (("retry-after", str(after)),) if after is not None else ()
    return Reply(fault.status, orjson.dumps({"error": error}), headers)


def _no_endpoint(world: World, attempt: Record, body: Body, fault: Fault | None) -> NoReturn:
    raise Refused(404, f"Invalid URL ({attempt['method']})")


def _models(world: World, attempt: Record, body: Body, fault: Fault | None) -> Reply:
    rows = [{"id": name, "object": "model", "created": 1700000000, "owned_by": "standin"} for name in MODELS]
    return Reply(200, orjson.dumps({"object": "list", "data": rows}))


def _prices(world: World, attempt: Record, body: Body, fault: Fault | None) -> Reply:
    asked = str(body.get("models", prices.MODELS_DEFAULT))
    if not asked.isdecimal() or len(asked) > 6:
        raise Refused(400, "'models' should be a number.", param="models")
    return Reply(200, orjson.dumps(prices.price_list(int(asked))))


def _complete(world: World, attempt: Record, body: Body, fault: Fault | None) -> Reply:
    model, prompt = _model(body), _prompt(body)
    _check_parameters(body, fault)
    prompt_tokens = sum(MESSAGE_TOKENS + extractive.tokens(text) for _, text in prompt)
    if prompt_tokens > world.context_tokens:
        raise Refused(
            400,
            f"This model's maximum context length is {world.context_tokens} tokens. However, your messages "
            f"resulted in {prompt_tokens} tokens. Please reduce the length of the messages.",
            param="messages",
            code="context_length_exceeded",
        )
    text, finish_reason = _cut(_text(world, model, prompt, fault), body)
    completion_tokens = extractive.tokens(text)
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    effect = world.effects.append(
        target="openai", kind="completion", model=model, key=attempt["key"], text=text, attempt=attempt["index"]
    )
    attempt["text"] = text
    head = {"id": f"chatcmpl-{effect['index']}", "created": int(time.time()), "model": model}
    latency = world.latency("openai", model)
    streams = bool(body.get("stream"))
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    answer = forms.Answer(head, text, finish_reason, usage)
    whole, pieces, kind = forms.body_of(answer, _form(fault), stream=streams, with_usage=with_usage)
    if pieces:
        return Reply(200, b"", pieces=pieces, latency=latency, content_type=kind)
    wait_s = latency.first_byte_s + latency.chunk_s * len(_PIECE.findall(text))
    return Reply(200, whole, latency=type(latency)(first_byte_s=wait_s), content_type=kind)


def _form(fault: Fault | None) -> str | None:
    return fault.variant if fault is not None and fault.kind == "form" else None


def _check_parameters(body: Body, fault: Fault | None) -> None:
    """A server that does not know one of the request's parameters, or takes no value as small."""
    name, status, words = forms.REFUSED_PARAMETERS.get(_form(fault) or "", ("", 400, ""))
    if name in body:
        raise Refused(status, words, param=name)
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    if _form(fault) == "few_tokens" and isinstance(limit, int) and limit < forms.FEWEST_TOKENS:
        told = f"Expected a value >= {forms.FEWEST_TOKENS}, but got {limit} instead."
        raise Refused(400, f"Invalid 'max_output_tokens': integer below minimum value. {told}", param="max_tokens")


def _model(body: Body) -> str:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Refused(400, "you must provide a model parameter")
    return model


def _prompt(body: Body) -> list[tuple[str, str]]:
    """(role, text) of each message."""
    messages = body.get("messages")
    if messages is None:
        raise Refused(
            400, "Missing required parameter: 'messages'.", param="messages", code="missing_required_parameter"
        )
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "Invalid 'messages': expected a non-empty array.", param="messages", code="invalid_type")
    found = []
    for number, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("system", "developer", "user", "assistant", "tool"):
            raise Refused(400, f"Invalid value for 'messages[{number}].role'.", param=f"messages[{number}].role")
        content = message.get("content") or ""
        parts = [{"text": content}] if isinstance(content, str) else content
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise Refused(400, f"Invalid type for 'messages[{number}].content'.", param=f"messages[{number}].content")
        found.append((role, "\n".join(str(part.get("text", "")) for part in parts)))
    return found


def _text(world: World, model: str, prompt: list[tuple[str, str]], fault: Fault | None) -> str:
    if fault is not None and fault.kind == "empty":
        return ""
    scripted = world.next_script(model)
    if scripted is not None:
        return scripted
    question = next((text for role, text in reversed(prompt) if role == "user"), "")
    return extractive.answer([text for _, text in prompt], question)


def _cut(text: str, body: Body) -> tuple[str, str]:
    """The text as far as the request's token limit goes, and the finish reason."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise Refused(400, "Invalid 'max_tokens': expected an integer of at least 1.", param="max_tokens")
    if limit is None or extractive.tokens(text) <= limit:
        return text, "stop"
    return text.encode()[: limit * 4].decode(errors="ignore"), "length"


def _embeddings(world: World, attempt: Record, body: Body, fault: Fault | None) -> Reply:
    model, value = _model(body), body.get("input")
    tokens_only = isinstance(value, list) and bool(value) and isinstance(value[0], int)
    inputs = [value] if isinstance(value, str) or tokens_only else value
    if not isinstance(inputs, list) or not inputs or any(text == "" for text in inputs):
        raise Refused(400, "'$.input' is invalid. Please check the API reference.", param="input")
    dimensions = body.get("dimensions", DIMENSIONS_DEFAULT)
    if not isinstance(dimensions, int) or not 1 <= dimensions <= DIMENSIONS_MAX:
        raise Refused(400, f"Invalid 'dimensions': expected 1 to {DIMENSIONS_MAX}.", param="dimensions")
    texts = [text if isinstance(text, str) else orjson.dumps(text).decode() for text in inputs]
    packed = body.get("encoding_format") == "base64"
    rows = []
    for index, text in enumerate(texts):
        vector = extractive.embed(text, dimensions)
        shown = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode() if packed else vector
        rows.append({"object": "embedding", "index": index, "embedding": shown})
    count = sum(extractive.tokens(text) for text in texts)
    world.effects.append(target="openai", kind="embedding", model=model, key=attempt["key"], inputs=len(texts))
    usage = {"prompt_tokens": count, "total_tokens": count}
    answer = {"object": "list", "data": rows, "model": model, "usage": usage}
    return Reply(200, orjson.dumps(answer), latency=world.latency("openai", model))


def _rerank(world: World, attempt: Record, body: Body, fault: Fault | None) -> Reply:
    """How many of the query's words each text has, in the form in which it was asked: Cohere's (`documents`) or that of
    text-embeddings-inference (`texts`)."""
    query, texts = body.get("query"), body.get("documents", body.get("texts"))
    if not isinstance(query, str) or not isinstance(texts, list) or not texts:
        raise Refused(400, "'query' and a non-empty list of 'documents' or 'texts' are required.", param="query")
    asked = extractive.words(query)
    shown = [str(text.get("text", "")) if isinstance(text, dict) else str(text) for text in texts]
    scores = [len(asked & extractive.words(text)) / max(1, len(asked)) for text in shown]
    ranked = sorted(enumerate(scores), key=lambda row: -row[1])  # stable: among equals the earlier text
    world.effects.append(target="openai", kind="rerank", model=body.get("model"), key=attempt["key"], inputs=len(texts))
    latency = world.latency("openai", str(body.get("model") or "rerank"))
    if "texts" in body:
        return Reply(200, orjson.dumps([{"index": at, "score": score} for at, score in ranked]), latency=latency)
    rows = [{"index": at, "relevance_score": score} for at, score in ranked[: body.get("top_n") or None]]
    return Reply(200, orjson.dumps({"model": body.get("model"), "results": rows}), latency=latency)


def _transcribe(world: World, attempt: Record, body: Body, fault: Fault | None) -> Reply:
    """Says how long the sound is, and what was scripted for it."""
    model, sound = _model(body), body.get("file")
    if not isinstance(sound, bytes) or not sound:
        raise Refused(400, "file should be a sound", param="file")
    try:
        with wave.open(io.BytesIO(sound)) as opened:
            seconds = opened.getnframes() / opened.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        raise Refused(400, "Invalid file format. Supported formats: ['wav']", param="file") from None
    text = world.next_script(model) or ""
    attempt["text"] = text
    world.effects.append(target="openai", kind="transcription", model=model, key=attempt["key"], text=text)
    answer = {"text": text, "duration": seconds}
    return Reply(200, orjson.dumps(answer), latency=world.latency("openai", model))


def _form_of(exchange: Exchange) -> Body | None:
    """The fields of a multipart form: texts, and the bytes of files. None for anything else."""
    kind = exchange.request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return None
    head = b"content-type: " + kind.encode() + b"\r\n\r\n"
    message: EmailMessage = message_from_bytes(head + exchange.request.body, policy=HTTP)
    fields: Body = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content if part.get_filename() else content.decode("utf-8", "replace")
    return fields


ENDPOINTS: dict[tuple[str, str], tuple[str, Callable[[World, Record, Body, Fault | None], Reply]]] = {
    ("POST", "/v1/chat/completions"): ("chat.completions", _complete),
    ("POST", "/v1/embeddings"): ("embeddings", _embeddings),
    ("POST", "/v1/rerank"): ("rerank", _rerank),
    ("GET", "/v1/models"): ("models", _models),
    ("POST", "/v1/audio/transcriptions"): ("audio.transcriptions", _transcribe),
    ("GET", "/v1/prices"): ("prices", _prices),
}
