# SPDX-License-Identifier: MIT
r"""Wide components: what a mixture draws from so that no tail of the target goes without draws.

Training minimises a divergence that hardly sees a region with a small part of Z: the components shrink from
it, and what they then miss carries weights that nobody has drawn. So a mixture gets a few more components,
which are not bent, with shares that cannot fall below a floor. They are fitted to a hotter target,

    exp(-U / h),     h = 1 + (2 / d)^{1/2},

d variables of a block, by weighted EM on draws of the mixture and of the same with wider components. As far
as they fit, weights are at most Z_h / (floor Z) exp(-(1 - 1/h) U): bounded, and falling along a tail; for a
Gaussian target the constant is h^{d/2} / floor, with h^{d/2} < exp((d/2)^{1/2}).

References
----------
Hesterberg, Technometrics 37, 185 (1995), doi:10.2307/1269620 (defensive mixtures: weights bounded by the
inverse share of the wide part).
"""

from __future__ import annotations

import math

import numpy as np
import scipy.special

from edgphys.edg.mixture.gaussian_mixture import GaussianMixture, em_step, energy_of_first, fit_mixture

__all__ = ["LEAST_SHARE", "joined", "wide_components"]

# Least share of all wide components of a model, and their largest number.
LEAST_SHARE, _N_WIDE = 0.03, 4
_N_DRAWS, _WIDER, _N_STEPS = 4000, (1.0, 3.0, 9.0), 20


def wide_components(
    mixture: GaussianMixture,
    target,
    n_blocks: int,
    rng: np.random.Generator,
    start: GaussianMixture | None = None,
) -> GaussianMixture:
    """Components that cover one block of a hotter target.

    Parameters
    ----------
    mixture : GaussianMixture
        Of one block of the target itself.
    target, n_blocks, rng
        As for `edgphys.edg.mixture.gaussian_mixture.explore`.
    start : GaussianMixture, optional
        Those of a target close by, all of which are kept.
    """
    energy, hotter = energy_of_first(target, mixture, n_blocks), 1.0 + math.sqrt(2.0 / mixture.means.shape[1])
    sources = [mixture.widened(factor) for factor in _WIDER]
    x = np.concatenate([source.draw(_N_DRAWS, rng) for source in sources])
    terms = [scipy.special.logsumexp(source.log_terms(x), axis=1) for source in sources]
    log_w = -energy(x) / hotter - scipy.special.logsumexp(terms, axis=0)
    weights = scipy.special.softmax(np.nan_to_num(log_w, nan=-np.inf, posinf=-np.inf))
    wide = start or fit_mixture(x[rng.choice(len(x), _N_DRAWS // 2, p=weights)], _N_WIDE, rng)
    for _ in range(_N_STEPS):
        wide = em_step(wide, x, weights, keeping=start is not None)
    return wide


def joined(mixture: GaussianMixture, wide: GaussianMixture) -> GaussianMixture:
    """One mixture of both, with a share of `LEAST_SHARE` for the second, whose components are the last."""
    return GaussianMixture(
        np.concatenate([(1.0 - LEAST_SHARE) * mixture.weights, LEAST_SHARE * wide.weights]),
        np.concatenate([mixture.means, wide.means]),
        np.concatenate([mixture.factors, wide.factors]),
    )
