# SPDX-License-Identifier: MIT
"""Which kind of draws a dataset holds, Markov chains or weighted draws, and their weights: checked here.

Averages over weighted draws take weights with E[w] = Z. Log weights that are exact only in their own mean, as
Hutchinson probes give them for ODE paths (attribute ``log_weight_exact = 0``), are no such weights: the mean
of an exponential of noise is too large, and by another factor at each draw. They are refused here, for all.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from edgphys._checks import instance
from edgphys.dataset.copies import copy_in
from edgphys.errors import ArgumentValueError, NotExactError

__all__ = ["draw_dims", "log_weights_of", "refuse_copies", "warning_of", "weights_of"]


def draw_dims(samples: xr.Dataset) -> tuple[str, ...]:
    """("chain", "draw") or ("draw",).

    Raises
    ------
    TypeError, ValueError
        If `samples` is no dataset of chains or of weighted draws.

    Examples
    --------
    >>> draw_dims(xr.Dataset({"energy": ("draw", [1.0]), "log_weight_joint": ("draw", [0.0])}))
    ('draw',)
    """
    instance(samples, "samples", xr.Dataset, "an xarray.Dataset")
    if "chain" in samples.dims and "draw" in samples.dims:
        return ("chain", "draw")
    if "draw" in samples.dims and "log_weight_joint" in samples:
        return ("draw",)
    raise ValueError(
        "samples must have the dims (draw,) with log_weight_joint, or (chain, draw), "
        f"got dims {tuple(samples.dims)} and variables {tuple(samples.data_vars)}"
    )


def log_weights_of(samples: xr.Dataset) -> np.ndarray:
    """Logarithms of the weights of draws, float64, shape (n_draws,): finite or -inf, at least one finite.

    Raises
    ------
    NotExactError
        If they are exact only in the mean of the logarithm.
    ValueError
        If there are fewer than two draws, the dims are others, or a value is not as above.
    """
    if samples["log_weight_joint"].dims != ("draw",):
        raise ValueError(
            f"log_weight_joint must have the dims ('draw',), got {samples['log_weight_joint'].dims}"
        )
    if not samples.attrs.get("log_weight_exact", 1):
        raise NotExactError(
            "samples must have exact weights, got log weights with the noise of Hutchinson probes: the mean "
            "of its exponential overestimates Z; sample with divergence='exact' or weights='path'",
            "samples",
        )
    log_weights = np.asarray(samples["log_weight_joint"].values, dtype=np.float64)
    if len(log_weights) < 2:
        raise ValueError(f"draw must hold at least 2 weighted draws, got {len(log_weights)}")
    n_bad = int(np.count_nonzero(np.isnan(log_weights) | (log_weights == np.inf)))
    if n_bad:
        raise ValueError(
            f"log_weight_joint must be finite or -inf, got {n_bad} of {len(log_weights)} that are not"
        )
    if not np.isfinite(log_weights).any():
        raise ValueError("log_weight_joint must be finite for at least one draw, got -inf for all")
    return log_weights


def weights_of(samples: xr.Dataset) -> np.ndarray | None:
    """Weights of draws, the largest 1, shape (n_draws,); None for chains.

    Raises
    ------
    NotExactError, ValueError
        As for `log_weights_of`.

    Examples
    --------
    >>> weights_of(xr.Dataset({"log_weight_joint": ("draw", np.log([1.0, 4.0]))}))
    array([0.25, 1.  ])
    """
    if draw_dims(samples) == ("chain", "draw"):
        return None
    log_weights = log_weights_of(samples)
    return np.exp(log_weights - log_weights.max())


def warning_of(samples: xr.Dataset, reasons: Iterable[str]) -> str:
    """Why results from `samples` are not to be trusted: what their attribute says already, then `reasons`.

    Examples
    --------
    >>> warning_of(xr.Dataset(attrs={"warning": "drawn from too few sides"}), ["too short"])
    'drawn from too few sides; too short'
    """
    return "; ".join(text for text in (samples.attrs.get("warning", ""), *reasons) if text)


def refuse_copies(samples: xr.Dataset) -> None:
    """Refuse draws that are there twice, see `edgphys.dataset.copies`: errors from them would be too small.

    Raises
    ------
    ArgumentValueError
        If a stretch of draws occurs twice, in the variables of one number a draw; the message says where.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((4, 100))
    >>> refuse_copies(xr.Dataset({"x": (("chain", "draw"), x[[0, 1, 2, 1]])}))
    Traceback (most recent call last):
    edgphys.errors.ArgumentValueError: samples must hold every chain once, got chain 3 as a copy of chain 1
    """
    found = copy_in(samples, draw_dims(samples))
    if found is not None:
        (chain, draw), (other, later) = found
        one, again = (draw, later) if chain == other else (chain, other)
        word = "draw" if chain == other else "chain"
        raise ArgumentValueError(
            f"samples must hold every {word} once, got {word} {again} as a copy of {word} {one}", "samples"
        )
