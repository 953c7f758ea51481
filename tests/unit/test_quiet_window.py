"""The share of the quiet window that is left at least: the intake's, and the statements' own."""

import pytest

from shared.store.answers import quiet_window


@pytest.mark.parametrize("statement", [quiet_window.OPEN_OR_EXTEND, quiet_window.RESCHEDULE_EDITED])
def test_the_statements_leave_the_share_that_the_intake_counts_on(statement: str) -> None:
    assert f"secs => {quiet_window.QUIET_SHARE_MIN} * %(quiet)s" in statement
