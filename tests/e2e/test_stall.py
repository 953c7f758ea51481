"""A worker whose consumer hangs restarts itself, and only then."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.system import private_system, wait_until
from tests.factories import update
from workers.stall_watchdog import EXIT_CODE


def test_a_worker_that_hears_nothing_ends_and_its_successor_answers(tmp_path: Path) -> None:
    with private_system(STALLED_AFTER_S=2.0, SWEEP_EVERY_S=0.5) as system:
        system.start("gateway", "intake", "deliver")
        system.start("reply", faults="worker.received=hang", marks=tmp_path)
        bot = system.new_bot()
        system.post_until_accepted(bot, update("How long does the delivery take?", chat=1))

        assert system.wait_dead("reply") == EXIT_CODE
        assert (tmp_path / "reply" / "worker.received.reached").exists()
        assert "worker_stalled" in system.all_logs()

        system.start("reply")
        [message] = system.standin.wait_messages(1, chat_id=1, token=bot.token, timeout_s=20)
        system.wait_at_rest()
        assert message["text"]
        assert system.processes["intake"].alive  # which took no wake-up either, because none waited
        assert system.processes["deliver"].alive
        wait_until((system.folder / "reply.alive").exists, "the new one has left its mark", 10)
