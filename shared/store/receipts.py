"""Receipts: how an answer came to be."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from shared.model import Answer
from shared.store.pool import Conn


def add(conn: Conn, company_id: int, turn_id: int, message_id: int, answer: Answer) -> None:
    conn.execute(
        "/* receipts.add */ INSERT INTO receipts (company_id, turn_id, message_id, step, reason, passages, citations,"
        " attempts, tokens_in, tokens_out, ms)"
        " VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb, %s, %s, %s::jsonb)",
        (
            company_id,
            turn_id,
            message_id,
            answer.step,
            answer.step_reason,
            json.dumps(
                [
                    {
                        "chunk": p.chunk_id,
                        "title": p.title,
                        "score": round(p.score, 4),
                        "relevance": round(p.relevance, 4),
                        "bm25": None if p.bm25 is None else round(p.bm25, 4),
                        "cosine": None if p.cosine is None else round(p.cosine, 4),
                    }
                    for p in answer.passages
                ]
            ),
            json.dumps([{"n": n, "chunk": p.chunk_id, "title": p.title} for n, p in answer.citations]),
            json.dumps([asdict(a) for a in answer.attempts]),
            sum(a.tokens_in for a in answer.attempts),
            sum(a.tokens_out for a in answer.attempts),
            json.dumps(answer.ms),
        ),
    )


def of_conversation(conn: Conn, company_id: int, conversation_id: int) -> list[dict[str, Any]]:
    """Receipts of a conversation's turns, oldest first, each with its turn's and its parts' times."""
    rows = conn.execute(
        "/* receipts.of_conversation */ SELECT jsonb_build_object('turn', t.id, 'step', r.step, 'reason', r.reason,"
        " 'passages', r.passages, 'citations', r.citations, 'attempts', r.attempts, 'tokens_in', r.tokens_in,"
        " 'tokens_out', r.tokens_out, 'ms', r.ms || jsonb_build_object("
        "   'send', (SELECT round(extract(epoch FROM max(o.finished_at) - r.created_at) * 1000)::int FROM outbound o"
        "            WHERE o.company_id = t.company_id AND o.message_id = r.message_id AND o.state = 'sent')),"
        " 'answer', m.text, 'state', t.state)"
        " FROM turns t JOIN receipts r ON r.company_id = t.company_id AND r.turn_id = t.id"
        " JOIN messages m ON m.company_id = t.company_id AND m.id = r.message_id"
        " WHERE t.company_id = %s AND t.conversation_id = %s ORDER BY t.id",
        (company_id, conversation_id),
    ).fetchall()
    return [row[0] for row in rows]  # type: ignore[misc]
