import io

import pytest
from rich.console import Console

from model.progress import count_bar


@pytest.mark.parametrize(("terminal", "shown"), [(True, True), (False, False)])
def test_a_bar_tells_how_many_are_done_where_a_person_watches(*, terminal: bool, shown: bool) -> None:
    stream = io.StringIO()
    with count_bar(Console(file=stream, force_terminal=terminal, width=80), "Ranking", 7) as advance:
        advance(2)
        advance(3)
    assert ("Ranking" in stream.getvalue(), "5/7" in stream.getvalue()) == (shown, shown)
