"""Run folders and a checklist -> their verdicts, one by one as they come; the list of engines is at the foot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from tfhealth.errors import UsageError
from tfhealth.fleet.task import Judged, judged
from tfhealth.rules.checklist import Checklist

__all__ = ["ENGINES", "Engine"]

Engine = Callable[[Sequence[str], Checklist], Iterator[Judged]]

_AHEAD = 4  # tasks for each processor of the cluster that were handed out and not answered


def _local(places: Sequence[str], checklist: Checklist) -> Iterator[Judged]:
    """Judge in this process, one after the other."""
    for place in places:
        yield judged(place, checklist)


def _ray(places: Sequence[str], checklist: Checklist) -> Iterator[Judged]:
    """Judge on the Ray cluster that `RAY_ADDRESS` names or that runs on this machine, else on one started for this."""
    try:
        import ray
    except ImportError:
        raise UsageError("Ray is not installed; `pip install 'tfhealth[fleet]'` brings it.") from None
    ours = not ray.is_initialized()
    if ours:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers what it is used for
        try:
            ray.init(logging_level="error", log_to_driver=False, include_dashboard=False)
        except Exception as error:  # an address that is none, a cluster that is away: each is another kind of error
            where = "RAY_ADDRESS names one; without it, one is started here"
            raise UsageError(f"no Ray cluster ({error}); {where}.") from None
    try:
        yield from _on_cluster(ray, places, checklist)
    finally:
        if ours:
            ray.shutdown()


def _on_cluster(ray: Any, places: Sequence[str], checklist: Checklist) -> Iterator[Judged]:
    task = ray.remote(judged).options(max_retries=1)  # a machine may go away; a run that kills twice is the cause
    shared, waiting = ray.put(checklist), iter(places)
    room = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
    asked = {task.remote(place, shared): place for place in islice(waiting, room)}
    while asked:
        (done,), _ = ray.wait(list(asked))
        place = asked.pop(done)
        for following in islice(waiting, 1):
            asked[task.remote(following, shared)] = following
        try:
            yield ray.get(done)
        except ray.exceptions.RayError as error:
            yield Judged(place, None, f"its process died: {type(error).__name__}")


ENGINES: dict[str, Engine] = {"local": _local, "ray": _ray}
"""{name: what judges}; each yields one answer for every run, in any order."""
