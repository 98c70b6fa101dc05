"""What trainings with and without a change came to -> the verdict on the change, its numbers and its sentence."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfhealth.experiments import Inapplicable
from tfhealth.experiments.confidence import half_width
from tfhealth.preflight.remedies.training import Reached
from tfhealth.series import Floats

__all__ = ["told"]

_NOTICED = 0.01  # of the loss without the change: less is of no use
_ENDINGS = {1: "", -1: ": it does harm", 0: ": no clear effect"}
_VERDICTS = {1: "helps", -1: "harms", 0: "no_clear_effect"}


def told(change: str, same_loss: bool, steps: int, without: Reached, changed: Reached) -> dict[str, Any]:
    """Return the fields of a `Tried` that say what a change did.

    Args:
        change: what it is, the subject of the sentence.
        same_loss: whether the loss means the same with and without it; if not, the scores decide.
        steps: of each training.
        without: what was reached without it.
        changed: what was reached with it, by the same batches.

    Raises:
        Inapplicable: the losses mean different things, and there is no score.
    """
    loss = _numbers(without.losses, changed.losses)
    fields: dict[str, Any] = dict(zip(("loss_without", "loss_with", "loss_error"), loss, strict=True))
    gained = _gained(without.losses, changed.losses, _NOTICED * np.abs(without.losses))
    sentence = f"tried: {change} takes the loss after {steps} steps from {_said(loss[0])} to {_said(loss[1])}"
    score = None
    if without.scores is not None and changed.scores is not None:
        score = _numbers(without.scores, changed.scores)
        named = dict(zip(("score_without", "score_with", "score_error"), score, strict=True))
        fields |= named | {"score": changed.score}
    if same_loss:
        sentence += "" if loss[2] is None else f" (± {loss[2]:.2g})"
    elif score is None or without.scores is None or changed.scores is None:
        raise Inapplicable(f"{change} changes what the loss means, and there is no score to compare instead")
    else:
        gained = _gained(-without.scores, -changed.scores, np.full(len(without.scores), changed.grain))
        error = "" if score[2] is None else f" (± {100 * score[2]:.2g} points)"
        sentence += f", which do not mean the same, and the {changed.score} from {_percent(score[0])} to "
        sentence += f"{_percent(score[1])}{error}"
    return fields | {"verdict": _VERDICTS[gained], "sentence": sentence + _ENDINGS[gained]}


def _numbers(without: Floats, changed: Floats) -> tuple[float | None, float | None, float | None]:
    """Return both means and half the 95 % interval of their paired difference; None for what is no number."""
    finite = np.isfinite(without).all() and np.isfinite(changed).all()
    return _mean(without), _mean(changed), half_width(without - changed) if finite else None


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if np.isfinite(values).all() else None


def _gained(without: Floats, changed: Floats, least: Floats) -> int:
    """Return 1 where the loss is lower with the change in every repeat, by this at least, -1 where higher, else 0."""
    before, after = (np.where(np.isfinite(one), one, np.inf) for one in (without, changed))
    least = np.where(np.isfinite(least), least, 0)
    return int(np.all(after < before - least)) - int(np.all(after > before + least))


def _said(value: float | None) -> str:
    return "NaN" if value is None else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "NaN" if value is None else f"{100 * value:.0f} %"
