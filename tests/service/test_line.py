"""Whoever writes waits for those who came before, and for nobody else."""

from __future__ import annotations

import threading
import time

from tests.service.serving import until
from tfhealth.store.line import Line


def test_turns_come_in_the_order_of_arrival():
    """Nobody is overtaken, and two never have a turn at once."""
    line, seen = Line(), []

    def take(number: int) -> None:
        with line.turn(60) as mine:
            seen.append((number, mine))
            time.sleep(0.001)
            seen.append((number, mine))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(20)]
    with line.turn(60):
        for number, one in enumerate(threads, 1):
            one.start()
            until(lambda number=number: len(line._waiting) == number)
    for one in threads:
        one.join()
    assert seen == [(number, True) for number in range(20) for _ in range(2)]
    assert not line._taken


def test_a_turn_that_does_not_come_is_told_of():
    """Whoever gives up leaves the line, and the next one is called."""
    line = Line()
    with line.turn(60):
        with line.turn(0.01) as mine:
            assert not mine
        assert not line._waiting
    with line.turn(0) as mine:
        assert mine
