"""A turn's way from the platform's request to the sent answer as spans of time, and as a chart of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.store.answers.receipts import Part, Story

CHART_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Span:
    """offset_ms: since the request was accepted. duration_ms: None for a moment, or where the end is not known."""

    name: str
    offset_ms: int
    duration_ms: int | None
    note: str = ""


def spans(story: Story) -> list[Span]:
    """What is known, in the order of the journey. `accepted` is by the gateway's clock, the model's times by the
    worker's, the others by the database's."""
    found = [Span("accepted", 0, None), *_until_claimed(story)]
    if story.receipt is not None:
        found += _answering(story)
    for part in story.parts:
        found += _delivering(story, part)
    return found


def _until_claimed(story: Story) -> Iterator[Span]:
    steps = (
        ("stored", story.received_at, story.stored_at),
        ("quiet window", story.stored_at, story.wanted_at),
        ("claimed", story.wanted_at, story.claimed_at),
    )
    for name, began, ended in steps:
        if began is None or ended is None:
            continue
        if name == "claimed" and ended < began:
            early_ms = round((began - ended).total_seconds() * 1000)
            yield Span(name, _since(story, ended), None, f"begun early, {early_ms} ms before the quiet window ended")
        else:
            yield _between(story, name, began, ended)


def _answering(story: Story) -> Iterator[Span]:
    receipt = story.receipt or {}
    ms = receipt["ms"]
    if story.claimed_at is None:
        return  # answered before these times were kept
    at_ms = _since(story, story.claimed_at)
    notes = {"search": f"{len(receipt['passages'])} passages"}
    for stage, name in (("gather", "gathered"), ("embed", "embedded"), ("search", "searched")):
        if stage in ms:
            yield Span(name, at_ms, ms[stage], notes.get(stage, ""))
            at_ms += ms[stage]
    for number, attempt in enumerate(receipt["attempts"], 1):
        yield Span(
            f"model {number}",
            at_ms + attempt.get("offset_ms", 0),
            attempt["duration_ms"],
            f"{attempt['provider']}/{attempt['model']}: {attempt['outcome']}",
        )
    if ms.get("quiet") and "total" in ms:
        ends_at_ms = _since(story, story.claimed_at) + ms["total"]
        yield Span("waited for quiet", ends_at_ms - ms["quiet"], ms["quiet"])
    if story.answer_stored_at is not None and "total" in ms:
        began = story.claimed_at + timedelta(milliseconds=ms["total"])
        yield _between(story, "answer stored", began, story.answer_stored_at)


def _delivering(story: Story, part: Part) -> Iterator[Span]:
    queued_at = story.answer_stored_at or part.queued_at
    name = f"part {part.part}"
    if not part.attempts:
        yield Span(f"{name} queued", _since(story, queued_at), None, part.meaning or part.state)
        return
    first_at = datetime.fromisoformat(part.attempts[0]["started_at"])
    yield _between(story, f"{name} queued", queued_at, first_at)
    for attempt in part.attempts:
        started_at = datetime.fromisoformat(attempt["started_at"])
        status = attempt["status"] or "under way"
        note = attempt["meaning"] if attempt["meaning"] not in (None, status) else ""
        yield Span(f"{name} {status}", _since(story, started_at), attempt["duration_ms"], note)


def _between(story: Story, name: str, began: datetime, ended: datetime) -> Span:
    # Clocks of two machines may disagree: nothing took less than no time.
    return Span(name, _since(story, began), max(0, round((ended - began).total_seconds() * 1000)))


def _since(story: Story, at: datetime) -> int:
    return round((at - story.received_at).total_seconds() * 1000)


def chart(found: Sequence[Span], width: int = CHART_WIDTH) -> list[str]:
    """A line a span: when it began, how long it took, and a bar on one scale for all."""
    end_ms = max([1, *(span.offset_ms + (span.duration_ms or 0) for span in found)])
    lines = []
    for span in found:
        began = min(width - 1, max(0, span.offset_ms * width // end_ms))
        ended = max(began, (span.offset_ms + (span.duration_ms or 0)) * width // end_ms)
        bar = "│" if span.duration_ms is None else "█" * (ended - began) or "▏"
        took = "" if span.duration_ms is None else f"{span.duration_ms} ms"
        line = f"{span.name:<14} {f'+{span.offset_ms} ms':>11} {took:>10}  {(' ' * began + bar):<{width}}  {span.note}"
        lines.append(line.rstrip())
    return lines
