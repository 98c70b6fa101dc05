"""One run folder and a checklist -> its verdict, or why there is none; a run never costs another one its own."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tfhealth import loading
from tfhealth.diagnosis import evaluate
from tfhealth.errors import Error
from tfhealth.fleet.places import at_hand
from tfhealth.result import Result
from tfhealth.rules.checklist import Checklist

__all__ = ["Judged", "judged"]


@dataclass(frozen=True)
class Judged:
    """What judging one run came to.

    Attributes:
        place: path or URL of the run folder.
        result: the verdict; None where there is none.
        trouble: why there is none; empty where there is one.
        model: name of the model; empty where it is not known.
        seconds: how long it took.
    """

    place: str
    result: Result | None
    trouble: str = ""
    model: str = ""
    seconds: float = 0.0


def judged(place: str, checklist: Checklist) -> Judged:
    """Judge one run; whatever is wrong with it is in what is returned."""
    began = time.perf_counter()
    try:
        with at_hand(place) as folder:
            run = loading.load(folder)
            result = evaluate(checklist, run)
    except Exception as error:  # of a run that nobody vouches for
        why = str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
        return Judged(place, None, why, seconds=time.perf_counter() - began)
    return Judged(place, result, "", str(run.fact("model.name") or ""), time.perf_counter() - began)
