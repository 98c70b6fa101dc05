"""A script and its arguments -> the same script run with every fit watched, its exit code, and the verdicts."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import GeneratorType
from typing import Any

import keras

from tfhealth.capture.ahead import Ahead, try_afterwards, try_ahead, under_trial
from tfhealth.capture.callback import HealthCallback
from tfhealth.capture.facts.data import fit_data
from tfhealth.capture.replica import is_chief
from tfhealth.capture.told import Facts
from tfhealth.result import Result
from tfhealth.series import Attribute

__all__ = ["run_script"]


def run_script(
    script: Path, arguments: Sequence[str], settings: Mapping[str, Any], ahead: Ahead | None = None, only: bool = False
) -> tuple[int, list[Result]]:
    """Run `script` as `python script arguments` would, with a `HealthCallback(**settings)` in every fit.

    Args:
        script: a Python script.
        arguments: the script's own.
        settings: of the callback.
        ahead: what is tried before the first fit, on its model and data.
        only: whether the script ends there, as if it had called `sys.exit()`.

    Returns:
        The script's exit code (1 after an exception, whose traceback is printed) and one result for each fit; where
        the script ended before the first one, what trying came to.

    Raises:
        UsageError, RuleError: settings that cannot be meant, before the script is started.
    """
    pattern = HealthCallback(**settings)  # copied for every fit: a script may leave the folder that it starts in
    results: list[Result] = []
    first = _First(ahead, only, results)
    with _watched_fits(pattern, results, first), _as_main(script, arguments):
        code = _run(script)
    return code, results


def _run(script: Path) -> int:
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        _print_traceback(error, script)
        return 1
    return 0


def _print_traceback(error: BaseException, script: Path) -> None:
    """Print what Python would have printed: from the script's own first frame on, without frames of ours."""
    frame = error.__traceback__
    while frame is not None and not _is_script(frame.tb_frame.f_code.co_filename, script):
        frame = frame.tb_next
    shown = traceback.TracebackException(type(error), error, frame or error.__traceback__)
    part: traceback.TracebackException | None = shown
    while part is not None:
        part.stack = traceback.StackSummary.from_list([one for one in part.stack if not _is_ours(one.filename)])
        part = part.__cause__ or part.__context__
    print("".join(shown.format()), end="", file=sys.stderr)


def _is_ours(filename: str) -> bool:
    return Path(filename).parent == Path(__file__).parent


def _is_script(filename: str, script: Path) -> bool:
    return os.path.abspath(filename) == os.path.abspath(script)  # noqa: PTH100 - frozen modules have no real path


@contextmanager
def _as_main(script: Path, arguments: Sequence[str]) -> Iterator[None]:
    """Make sys.argv and sys.path what they are under `python script`."""
    argv, path = sys.argv, list(sys.path)
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.resolve().parent))
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path


@dataclass
class _First:
    """What is done before and after the first fit of a script."""

    ahead: Ahead | None
    only: bool
    results: list[Result]
    remedied: HealthCallback | None = None

    def act(self, callback: HealthCallback, model: Any, given: dict[str, Any]) -> None:
        """Try what is to be tried, once; leave in `given` and in the callback what its fit needs.

        Raises:
            SystemExit: the script is to end here.
        """
        if self.ahead is None or callback.ahead is not None or not is_chief(model.distribute_strategy):
            return
        afterwards = self.ahead.try_remedies and not self.only and not isinstance(given.get("x"), GeneratorType)
        callback.ahead = replace(self.ahead, try_remedies=self.ahead.try_remedies and not afterwards)
        self.remedied = callback if afterwards else None
        self.ahead = self.ahead if self.only else None
        given["x"], again = _read_twice(given.get("x"))
        callback.tried = try_ahead(callback, model, given)
        given["x"] = again()
        if self.only:
            self.results += [callback.tried.result] if callback.tried else []
            raise SystemExit

    def act_afterwards(self, callback: HealthCallback, model: Any, given: Mapping[str, Any]) -> None:
        """Try what the findings of the first fit advise, where that was asked for and its data can be read again."""
        if callback is self.remedied:
            self.remedied = None
            try_afterwards(callback, model, given)


def _read_twice(x: Any) -> tuple[Any, Callable[[], Any]]:
    """Return what yields the same as `x`, and what makes `x` as if nobody had read it; only a generator needs that."""
    if not isinstance(x, GeneratorType):
        return x, lambda: x
    taken: list[Any] = []

    def reading() -> Iterator[Any]:
        for batch in x:
            taken.append(batch)
            yield batch

    return reading(), lambda: (batch for batch in chain(taken, x))  # Keras takes no other iterator than a generator


@contextmanager
def _watched_fits(pattern: HealthCallback, results: list[Result], first: _First) -> Iterator[None]:
    """Give every `fit` a copy of `pattern`, unless the script gave it one itself; fits of clones are left alone."""
    original = keras.Model.fit
    signature = inspect.signature(original)

    @functools.wraps(original)
    def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
        if under_trial():
            return original(model, *args, **kwargs)
        bound = signature.bind(model, *args, **kwargs)
        own = _callbacks(bound.arguments.get("callbacks"))
        watching = next((one for one in own if isinstance(one, HealthCallback)), None)
        if watching is None:
            watching = copy.deepcopy(pattern)
            watching.told, watching.others = _told(bound), own
            bound.arguments["callbacks"] = [*own, watching]
        first.act(watching, model, bound.arguments)
        try:
            history = original(*bound.args, **bound.kwargs)
            first.act_afterwards(watching, model, bound.arguments)
            return history
        except KeyboardInterrupt:
            watching.close("interrupted")
            raise
        except BaseException:
            watching.close("failed")
            raise
        finally:
            if watching.result is not None:
                results.append(watching.result)

    keras.Model.fit = fit
    try:
        yield
    finally:
        keras.Model.fit = original


def _callbacks(given: Any) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, keras.callbacks.CallbackList):
        return list(given.callbacks)
    return list(keras.tree.flatten(given))


def _told(bound: inspect.BoundArguments) -> Facts:
    """Return what `fit` was told that a callback cannot see."""
    given = bound.arguments
    batch_size = given.get("batch_size")
    fit: dict[str, Attribute] = {
        "batch_size": batch_size if isinstance(batch_size, int) else None,
        "shuffle": bool(given.get("shuffle", True)),
        "validation": given.get("validation_data") is not None or bool(given.get("validation_split")),
        "class_weight": given.get("class_weight") is not None,
        "sample_weight": given.get("sample_weight") is not None,
    }
    data: dict[str, Attribute] = {}
    with suppress(Exception):  # data may be of any type, and of no type may it end the fit
        data = fit_data(given)
    return {"fit": fit, "data": data}
