"""What scikit-learn says of samples as tables: neighbors, ridge regression, probabilities of classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfhealth.experiments.builtin.tables import inputs_of, targets_of
from tfhealth.experiments.model import Inapplicable
from tfhealth.series import Floats, Ints

__all__ = ["compact", "foretold", "neighbors", "read", "ridge"]

_FEWEST = 40
_COLUMNS = 32  # of targets; more are mixed to so many
_FOLDS = 5
_COMPONENTS = 64


def read(trial: Any, rows: Ints) -> tuple[Floats, Floats]:
    """Return inputs, float64[n, d], and centered targets, float64[n, m ≤ 32], each output with the same weight.

    Raises:
        Inapplicable: there are too few samples, no targets, or things that no table has.
    """
    if len(rows) < _FEWEST:
        raise Inapplicable(f"there are {len(rows)} samples, and it takes {_FEWEST}")
    x, y = trial.rows(rows)
    parts = []
    for one in targets_of(trial, y, None if trial.classes is None else trial.classes[rows]):
        centered = one.values - one.values.mean(0)
        spread = np.ones(centered.shape[1]) if one.classes else centered.std(0)
        part = centered / np.where(spread > 0, spread, 1)
        parts.append(part / max(float(np.linalg.norm(part)), 1e-300))
    target = np.concatenate(parts, axis=1)
    if not np.any(target):
        raise Inapplicable("all targets are the same")
    if target.shape[1] > _COLUMNS:
        target = target @ np.random.default_rng(trial.seed).normal(size=(target.shape[1], _COLUMNS))
    return compact(inputs_of(trial, x), trial.seed), target


def compact(table: Floats, seed: int) -> Floats:
    """Return a table as its 64 principal components, or as it is where it is no wider."""
    with _told():
        from sklearn.decomposition import PCA
    if table.shape[1] <= _COMPONENTS or len(table) <= _COMPONENTS:
        return table
    return np.asarray(PCA(_COMPONENTS, svd_solver="randomized", random_state=seed).fit_transform(table))


def neighbors(table: Floats, count: int) -> Ints:
    """Return the rows of each sample's nearest neighbors, itself left out, int64[n, count]."""
    with _told():
        from sklearn.neighbors import NearestNeighbors
    found = NearestNeighbors(n_neighbors=count).fit(table).kneighbors(return_distance=False)
    return np.asarray(found, np.int64)


def ridge(table: Floats, seed: int) -> Floats:
    """Return the matrix that takes targets to what ridge regression foretells of each without itself, float64[n, n]."""
    with _told():
        from sklearn.linear_model import Ridge
        from sklearn.model_selection import KFold
    found = np.zeros((len(table), len(table)))
    for known, asked in KFold(_FOLDS, shuffle=True, random_state=seed).split(table):
        strength = max(0.1 * float((table[known] ** 2).sum(1).mean()), 1e-9)
        model = Ridge(strength).fit(table[known], np.eye(len(known)))
        found[np.ix_(asked, known)] = model.predict(table[asked])
    return found


def foretold(table: Floats, labels: Ints, seed: int) -> Floats:
    """Return the probability of each class for each sample by models that were made without it, float64[n, classes]."""
    with _told():
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=300))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    return np.asarray(cross_val_predict(model, table, labels, cv=folds, method="predict_proba"))


@contextmanager
def _told() -> Iterator[None]:
    """Say what to install where scikit-learn is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("it takes scikit-learn: pip install scikit-learn") from error
