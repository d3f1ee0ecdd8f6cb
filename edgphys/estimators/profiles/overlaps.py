# SPDX-License-Identifier: MIT
r"""Overlap of replicas, q = (1/N) sum_i s_i^a s_i^b: the order parameter of a glass.

    overlap_binder   g = (3 - <q^4> / <q^2>^2) / 2: 0 of a Gaussian q, 1 of two peaks at +-q_0
    density          of |q|

Replicas are the two of `edgphys.mcmc.temper` with `houdayer`, whose ``overlap`` is a variable of the draws,
or chains that run independently: 0 and 1, 2 and 3, ... draw by draw. A last one without a partner is left
out.

References
----------
Edwards and Anderson, J. Phys. F 5, 965 (1975). Binder and Young, Rev. Mod. Phys. 58, 801 (1986), eq. 4.24,
doi:10.1103/RevModPhys.58.801.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from edgphys.errors import ArgumentValueError
from edgphys.estimators.diagnosis import diagnose
from edgphys.estimators.profiles.averages import averages
from edgphys.estimators.profiles.bins import bin_edges, one_hot
from edgphys.estimators.profiles.profile_dataset import profile_dataset
from edgphys.estimators.profiles.shares import shares
from edgphys.recording.record import recorded

__all__ = ["overlap"]

_WORDS = {
    "overlap": "<q>, q = sum_i s_i^a s_i^b / n_sites of two replicas; dimensionless",
    "abs_overlap": "<|q|>; dimensionless",
    "overlap_2": "<q^2>; dimensionless",
    "overlap_4": "<q^4>; dimensionless",
    "overlap_binder": "(3 - <q^4> / <q^2>^2) / 2; dimensionless",
}


@recorded("overlap")
def overlap(samples: xr.Dataset, bins: int | Sequence[float] = 20) -> xr.Dataset:
    """Moments, Binder ratio and distribution of the overlap of two replicas.

    Parameters
    ----------
    samples : Dataset
        Of kind "samples", dims (chain, draw): with the variable ``overlap``, such as a rung of a ladder with
        `houdayer`, or with the configurations of two chains or more (``keep=True``), each value +1 or -1.
    bins : int or increasing edges
        Of |q|, equal bins from 0 to 1 unless edges are given.

    Returns
    -------
    Dataset
        Of kind "profile": ``overlap``, ``abs_overlap``, ``overlap_2``, ``overlap_4``, ``overlap_binder`` and,
        over the dimension ``abs_q``, ``density``, with errors; the diagnostics of the draws.

    Raises
    ------
    ArgumentValueError
        If there is neither, or chains are weighted or of different lengths.

    Examples
    --------
    >>> import edgphys as ep, lattices
    >>> system = ep.Ising(lattices.build("square", (4, 4)), temperature=1.0)
    >>> chains = ep.mcmc.run(system, "wolff", n_chains=4, n_sweeps=200, seed=1, keep=True)
    >>> bool(overlap(chains).abs_overlap > 0.9)
    True
    """
    q = _overlaps(samples)
    pairs = xr.Dataset({"overlap": (("chain", "draw"), q)}, attrs=samples.attrs)
    diagnosis = diagnose(pairs, {"abs_overlap": np.abs(q)})
    columns = np.stack([q, np.abs(q), q**2, q**4])
    values, errors = averages(pairs, columns, _with_ratio, window=diagnosis.window)
    edges = bin_edges(np.linspace(0.0, 1.0, bins + 1).tolist() if isinstance(bins, int) else bins, 0.0, 1.0)
    found, widths = shares(pairs, one_hot(np.abs(q), edges), diagnosis), np.diff(edges)
    numbers = {name: ((), value, text) for (name, text), value in zip(_WORDS.items(), values, strict=True)}
    of_numbers = {name: ((), error) for name, error in zip(_WORDS, errors, strict=True)}
    words = "probability density of |q|, mean over the bin"
    return profile_dataset(
        pairs,
        diagnosis,
        {"abs_q": edges},
        numbers | {"density": (("abs_q",), found.values / widths, words)},
        of_numbers | {"density": (("abs_q",), found.errors / widths)},
    )


def _with_ratio(means: np.ndarray) -> np.ndarray:
    ratio = 0.5 * (3.0 - means[..., 3:] / means[..., 2:3] ** 2)
    return np.concatenate([means, ratio], axis=-1)


def _overlaps(samples: xr.Dataset) -> np.ndarray:
    """q of every pair and draw, shape (n_pairs, n_draws)."""
    dims = ("chain", "draw")
    if "overlap" in samples and set(samples["overlap"].dims) == set(dims):
        return samples["overlap"].transpose(*dims).values.astype(float)
    n_chains = samples.sizes.get("chain", 0)
    if "configurations" not in samples or n_chains < 2:
        words = "have the variable overlap, or configurations of at least two chains"
        raise ArgumentValueError(f"samples must {words}, got {n_chains} chains of {list(samples)}", "samples")
    spins = samples["configurations"].transpose(*dims, ...).values
    spins = spins.reshape(*spins.shape[:2], -1)
    if not np.all(np.abs(spins[:, ::16]) == 1):
        raise ArgumentValueError("samples must hold spins +1 and -1, got other values", "samples")
    even, odd = spins[: n_chains - n_chains % 2 : 2], spins[1::2]
    return np.einsum("cdi,cdi->cd", even, odd, dtype=float) / spins.shape[-1]
