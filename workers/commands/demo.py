"""The demo: its scenes in their order, and the promises that none of them may break."""

from __future__ import annotations

import time

import click
import httpx

from shared import queues
from shared.knowledge import embed
from shared.store.answers import receipts
from shared.store.knowledge import documents as store
from shared.store.knowledge import embedding_models, embeddings
from workers.commands import demo_platforms, demo_talk, demo_widget
from workers.commands.demo_stage import Scene, Stage
from workers.commands.printing import counted
from workers.commands.setup import as_owner
from workers.local import System, control
from workers.ready import embedder_of

READY_WITHIN_S = 120.0
"""For a machine that is busy with other things; on an idle one it takes a second or less."""

KEY = (
    Scene(101, ("How many days do I have to return shoes?",), "full", "Returns"),
    Scene(102, ("Do you deliver to Norway?",), "full", "Shipping"),
    Scene(103, ("Who won the chess world championship in 1972?",), "unknown"),
    Scene(
        104,
        ("Hello!", "I bought a backpack last year", "Its zipper is broken, does the warranty cover that?"),
        "full",
        "Warranty",
    ),
)
BY_MEANING = Scene(108, ("At what time do your stores shut on the weekend?",), "full", "Shops")
"""No word of it stands in the document that answers it; one, `time`, stands in another."""
SAID_BY_MEANING = "On Saturday at 18:00; on Sundays the shops stay closed [1]."
"""The stand-in for a model compares words, so it is told what to say; whether [1] is the right passage is not."""
WHILE_THE_MODEL_FAILS = Scene(105, ("What are the opening hours of your shops on Saturday?",), "passages", "Shops")


def show(system: System) -> list[str]:
    """Play every scene; returns the promises that were not held."""
    with as_owner(system.settings) as owner, httpx.Client(timeout=10, trust_env=False) as http:
        stage = Stage(system, owner, http)
        _ready(stage)
        for scene in KEY:
            stage.play(scene)
        for scene in KEY:
            stage.check(scene)
        _by_meaning(stage)
        demo_talk.play(stage)
        _forged(stage)
        _repeated(stage)
        stage.failures += demo_widget.play(system)
        stage.failures += demo_platforms.play(system)
        _model_fails(stage)
        _at_rest(stage)
        return stage.failures


def _by_meaning(stage: Stage) -> None:
    """A question that only the vector side can answer, and the receipt that says so."""
    standin_url, model_url = stage.system.standin_url, stage.system.settings.llm.base_url
    if standin_url is not None and model_url is not None and model_url.startswith(standin_url):
        control(standin_url, "POST", "script", texts=[SAID_BY_MEANING])
    stage.play(BY_MEANING)
    stage.check(BY_MEANING)
    listed = stage.conversation(BY_MEANING.chat)
    found = receipts.of_conversation(stage.owner, stage.system.company_id, listed.id) if listed else []
    cited = {citation["chunk"] for receipt in found for citation in receipt["citations"]}
    sides = [passage for receipt in found for passage in receipt["passages"] if passage["chunk"] in cited]
    for passage in sides:
        click.echo(f"found by  meaning: cosine {passage['cosine']:.2f}; by words: {passage['bm25'] or 'not at all'}")
    only = bool(sides) and all(passage["bm25"] is None for passage in sides)
    stage.expect(f"chat {BY_MEANING.chat} is answered from what only its meaning finds", only)


def _ready(stage: Stage) -> None:
    """Wait until the questions that follow can be answered: embedders are loaded, every chunk has its vector, and the
    embedding model is active. No process has cached an earlier state: they cache a list only if a model is usable."""
    system, conn = stage.system, stage.owner
    model = embed.first_model(system.settings)
    run_dir = system.folder.path / "run"

    def unready() -> list[str]:
        vectors = embeddings.counts(conn, system.company_id)
        documents = store.list_documents(conn, system.company_id)
        loading = [
            name for name in (queues.INDEX, queues.REPLY) if not (run_dir / f"{embedder_of(name)}.ready").exists()
        ]
        active = any(m.name == model and m.state == "active" and m.dimension for m in embedding_models.every(conn))
        return [
            *(f"the model of meaning in the process {name}" for name in loading),
            *(f"vectors of {row.source}" for row in documents if vectors.get(row.id, 0) < row.chunk_count),
            *([] if active else [f"the embedding model {model} to become active"]),
        ]

    ends_at = time.monotonic() + READY_WITHIN_S
    while (missing := unready()) and time.monotonic() < ends_at:
        time.sleep(0.1)
    vectors = embeddings.counts(conn, system.company_id)
    chunks = f"{counted(sum(vectors.values()), 'chunk')} of {counted(len(vectors), 'document')}"
    click.echo(f"\nindexed: {chunks} with vectors ({model})")
    stage.expect(f"ready within {READY_WITHIN_S:g} s (waited for {'; '.join(missing)})", not missing)


def _forged(stage: Stage) -> None:
    status = stage.post(stage.update(106, "let me in"), secret="not-the-secret")
    click.echo(f"\nforged webhook: {status}")
    stage.expect(f"a forged webhook gets 401 (got {status})", status == 401)


def _repeated(stage: Stage) -> None:
    """The same webhook three times more: accepted, because the platform must stop, and without effect."""
    body = stage.update(107, "Are gift cards valid for ever?")
    stage.post(body)
    stage.arrived(107)
    before = _effects(stage)
    for _ in range(3):
        stage.expect("a repeated webhook is accepted", stage.post(body) == 200)
    stage.wait(lambda found: found.dropped.get("duplicate", 0) >= 3)
    after = _effects(stage)
    click.echo(f"repeated webhook: {after[0] - before[0]} new messages, {after[1] - before[1]} new turns")
    stage.expect("a repeated webhook changes nothing", after == before)


def _effects(stage: Stage) -> tuple[int, ...]:
    row = stage.owner.execute(
        """
        /* demo.effects */
        SELECT
            (SELECT count(*) FROM messages WHERE role = 'customer'),
            (SELECT count(*) FROM turns),
            (SELECT sum(unread) FROM company_totals)::bigint
        """
    ).fetchone()
    assert row is not None
    return tuple(int(str(value)) for value in row)


def _model_fails(stage: Stage) -> None:
    assert stage.system.standin_url is not None
    control(stage.system.standin_url, "POST", "faults", target="openai", kind="status", status=500, count=None)
    try:
        stage.play(WHILE_THE_MODEL_FAILS)
        stage.check(WHILE_THE_MODEL_FAILS)
    finally:
        control(stage.system.standin_url, "DELETE", "faults")


def _at_rest(stage: Stage) -> None:
    found = stage.wait(lambda found: found.at_rest)
    click.echo(
        f"\nbalance: {found.requests_received} requests received = {found.requests_stored} stored"
        f" + {found.requests_in_flight} in flight; events {found.events}; parts {found.outbound}"
    )
    stage.expect("the balance closes and nothing is under way", found.at_rest)
