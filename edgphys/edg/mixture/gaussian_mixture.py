# SPDX-License-Identifier: MIT
r"""A Gaussian mixture that approximates exp(-U): where the decoder of a continuous system starts from.

Nothing but U and its gradient is used. Walkers spread by the system are moved by Langevin steps with an
acceptance test until they are in the basins; a mixture is fitted to them by EM; then, a few times over, the
mixture is improved by population Monte Carlo: draw from it (a tenth from components four times as wide),
weigh the draws by exp(-U) over their density, and take one weighted EM step, which lowers KL(pi || mixture).
The walkers need not be in equilibrium between basins: the weights correct the shares. Where the weights
degenerate they are flattened to a power that leaves a tenth of the draws effective.

A system of `n_blocks` blocks of variables with the same law is described by the mixture of one block.

References
----------
Roberts and Tweedie, Bernoulli 2, 341 (1996), doi:10.2307/3318418 (Metropolis-adjusted Langevin).
Cappe, Douc, Guillin, Marin, Robert, Statistics and Computing 18, 447 (2008), arXiv:0710.4242 (mixtures by
population Monte Carlo).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.special
import torch
from numpy.typing import NDArray

from edgphys.errors import TrainingError

__all__ = ["GaussianMixture", "em_step", "energy_of_first", "explore", "fit_mixture", "follow", "walk"]

# Spectrum of a fitted covariance: no direction narrower than this, relative to the widest.
_LEAST_WIDTH = 1e-6
_LEAST_SHARE = 1e-3
# Rounds of population Monte Carlo, draws in each, and the effective share that is good enough.
_N_ROUNDS, _N_DRAWS, _GOOD = 12, 6000, 0.9
# Draws of each component at least: with a fifth of them many components fit the noise of their weights.
_N_EACH, _WIDER = 300, 4.0
_N_WALKERS, _N_WALK_STEPS = 512, 400


@dataclass(frozen=True)
class GaussianMixture:
    """Weights, means and Cholesky factors of a Gaussian mixture.

    Attributes
    ----------
    weights : float64 array, shape (n_components,)
    means : float64 array, shape (n_components, n_dims)
    factors : float64 array, shape (n_components, n_dims, n_dims)
        Symmetric roots of the covariances.
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    factors: NDArray[np.float64]

    def log_terms(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """log of weight times density of each component, shape (n_batch, n_components)."""
        return self.log_terms_of(self.squares(x))

    def squares(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared distances from the means in units of the covariances, shape (n_batch, n_components)."""
        found = np.empty((len(x), len(self.weights)))
        for c, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            found[:, c] = (np.linalg.solve(factor, (x - mean).T) ** 2).sum(0)
        return found

    def log_terms_of(self, squares: NDArray[np.float64], wider: float = 1.0) -> NDArray[np.float64]:
        """`log_terms` from the squares, with covariances `wider` times as large."""
        log_det = np.linalg.slogdet(self.factors * np.sqrt(wider))[1]
        terms = np.log(self.weights) - 0.5 * (squares / wider) - log_det
        return terms - 0.5 * self.means.shape[1] * np.log(2 * np.pi)

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent points, shape (n, n_dims)."""
        c = rng.choice(len(self.weights), n, p=self.weights)
        noise = rng.standard_normal((n, self.means.shape[1]))
        return self.means[c] + np.einsum("nij,nj->ni", self.factors[c], noise)

    def widened(self, factor: float) -> GaussianMixture:
        """The same with covariances `factor` times as large."""
        return GaussianMixture(self.weights, self.means, self.factors * np.sqrt(factor))


def explore(target, n_blocks: int, n_components: int, rng: np.random.Generator) -> GaussianMixture:
    """Mixture for one block of the variables of a target.

    Sizes of 4, 16, 64, 256 .. components are tried until nine tenths of the draws are effective.

    Parameters
    ----------
    target : AbstractCountedTarget
        Gives ``energy``, ``gradient``, and the starting points of the walkers.
    n_blocks : int
        The variables are cut into so many blocks of equal length.
    n_components : int
        Most components; those that are not needed are dropped.
    rng : numpy.random.Generator
    """
    block, best, best_share = target.n_dims // n_blocks, None, -1.0
    walkers, size = np.empty((0, target.n_dims)), min(4, n_components)

    while True:
        if len(walkers) < 8 * size:
            walkers = walk(target, target.starts(rng, max(_N_WALKERS, 8 * size)), _N_WALK_STEPS, rng)
            rows = walkers.reshape(-1, block)
            rows = rows[rng.choice(len(rows), min(len(rows), 8192), replace=False)]
        energy = _energy_of_block(target, walkers[0, block:])
        mixture, share = _population(fit_mixture(rows, size, rng), energy, rng)
        if share > best_share:
            best, best_share = mixture, share
        if share > _GOOD or size >= n_components:
            assert best is not None  # a share is above -1
            return best
        size = min(4 * size, n_components)


def follow(mixture: GaussianMixture, target, n_blocks: int, rng: np.random.Generator) -> GaussianMixture:
    """The same components at another target, close to the one that they were found at.

    Parameters
    ----------
    mixture : GaussianMixture
        Of one block.
    target, n_blocks, rng
        As for `explore`.
    """
    return _population(mixture, energy_of_first(target, mixture, n_blocks), rng, keeping=True)[0]


def energy_of_first(target, mixture: GaussianMixture, n_blocks: int) -> Callable:
    """Energy of the first block, shape (n_batch, n_dims of a block), the others in the largest component."""
    return _energy_of_block(target, np.tile(mixture.means[np.argmax(mixture.weights)], n_blocks - 1))


def _energy_of_block(target, others: NDArray[np.float64]) -> Callable:
    """Energy of the first block, shape (n_batch, n_dims of a block), with all other variables held."""

    def energy(x: NDArray[np.float64]) -> NDArray[np.float64]:
        points = torch.cat([torch.from_numpy(x), torch.from_numpy(others).expand(len(x), -1)], 1)
        with torch.no_grad():
            return target.energy(points).numpy()

    return energy


def walk(target, x: NDArray[np.float64], n_steps: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Metropolis-adjusted Langevin steps of many walkers, each with its own step size, tuned as it goes.

    Walkers that never left a wall, where the energy is infinite, are dropped.

    Raises
    ------
    TrainingError
        If none is left.
    """
    log_step = np.full(len(x), 2 * np.log(0.3 * float(np.std(x)) / x.shape[1] ** 0.5 + 1e-12))

    def value(points):
        at = torch.from_numpy(points)
        with torch.no_grad():
            # One pass would give both: the count is that of gradients.
            # Within a wall no force says where to go.
            gradient = np.nan_to_num(target.gradient(at).numpy(), nan=0.0, posinf=0.0, neginf=0.0)
            return target._energy(at).numpy(), gradient

    energy, gradient = value(x)
    for step in range(n_steps):
        size = np.exp(log_step)[:, None]
        # From far out the force may be huge: a drift longer than the noise is cut to its length.
        drift = _drift(gradient, size)
        proposal = x + drift + np.sqrt(2 * size) * rng.standard_normal(x.shape)
        new_energy, new_gradient = value(proposal)
        back = proposal + _drift(new_gradient, size)
        with np.errstate(invalid="ignore"):  # from wall to wall
            log_ratio = energy - new_energy
        log_ratio += (((proposal - x - drift) ** 2 - (x - back) ** 2) / (4 * size)).sum(1)
        probability = np.exp(np.minimum(0.0, np.nan_to_num(log_ratio, nan=-np.inf, posinf=0.0)))
        accepted = rng.random(len(x)) < probability
        x = np.where(accepted[:, None], proposal, x)
        energy = np.where(accepted, new_energy, energy)
        gradient = np.where(accepted[:, None], new_gradient, gradient)
        log_step += 3.0 * (probability - 0.6) / (step + 10) ** 0.6
    free = np.isfinite(energy)
    if not free.any():
        words = f"system must have configurations of finite energy where walkers start, got none of {len(x)}"
        raise TrainingError(words, "system")
    return x[free]


def _drift(gradient: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    drift = -size * gradient
    length = np.linalg.norm(drift, axis=1, keepdims=True)
    longest = np.sqrt(2 * size * gradient.shape[1])
    return drift * np.minimum(1.0, longest / np.maximum(length, 1e-300))


def fit_mixture(
    rows: NDArray[np.float64], n_components: int, rng: np.random.Generator, n_iterations: int = 60
) -> GaussianMixture:
    """Mixture fitted by EM from centres spread over the rows (k-means++ seeding)."""
    scale = rows.std(0) + 1e-12
    centres, distance = [rows[rng.integers(len(rows))]], np.full(len(rows), np.inf)
    for _ in range(n_components - 1):
        distance = np.minimum(distance, (((rows - centres[-1]) / scale) ** 2).sum(1))
        total = distance.sum()
        if not total > 0:
            break
        centres.append(rows[rng.choice(len(rows), p=distance / total)])
    n = len(centres)
    root = np.diag(scale / n ** (1 / rows.shape[1]))
    mixture = GaussianMixture(np.full(n, 1 / n), np.array(centres), np.repeat(root[None], n, 0))
    weights = np.full(len(rows), 1 / len(rows))
    for _ in range(n_iterations):
        mixture = em_step(mixture, rows, weights)
    return mixture


def em_step(
    mixture: GaussianMixture,
    x: NDArray,
    weights: NDArray,
    keeping: bool = False,
    terms: NDArray | None = None,
) -> GaussianMixture:
    """One EM step for weighted points; components that explain too few of them are dropped, or left alone.

    `terms` are those of `GaussianMixture.log_terms` where they are known.
    """
    n_dims = x.shape[1]
    terms = mixture.log_terms(x) if terms is None else terms
    shares = np.exp(terms - scipy.special.logsumexp(terms, axis=1, keepdims=True)) * weights[:, None]
    sizes = shares.sum(0)
    # A covariance needs more points than dimensions to stand on.
    effective = sizes**2 / np.maximum((shares**2).sum(0), 1e-300)
    kept = np.flatnonzero((sizes > _LEAST_SHARE) & (effective > 3 * n_dims))
    if kept.size == 0:
        return mixture
    # Sums in one order, however many threads the matrix products of numpy would take.
    each = shares.sum(1)
    centre = np.einsum("n,nj->j", each, x) / sizes.sum()
    total = np.einsum("n,nj->j", each, (x - centre) ** 2) / sizes.sum()
    factors, means = mixture.factors.copy(), mixture.means.copy()
    for c in kept:
        mean = np.einsum("n,nj->j", shares[:, c], x) / sizes[c]
        centred = x - mean
        covariance = np.einsum("n,ni,nj->ij", shares[:, c], centred, centred) / sizes[c]
        covariance += 1e-4 * np.diag(np.diag(covariance)) + _LEAST_WIDTH * np.diag(total)
        values, vectors = np.linalg.eigh(covariance)
        factors[c], means[c] = (vectors * np.sqrt(values)) @ vectors.T, mean
    if keeping:
        sizes, kept = np.maximum(sizes, _LEAST_SHARE), slice(None)
    return GaussianMixture(sizes[kept] / sizes[kept].sum(), means[kept], factors[kept])


def _population(
    mixture: GaussianMixture, energy: Callable, rng: np.random.Generator, keeping: bool = False
) -> tuple[GaussianMixture, float]:
    """The mixture improved by weighted EM on its own draws, and the effective share of draws at the end."""
    n = max(_N_DRAWS, _N_EACH * len(mixture.weights))
    for k in range(_N_ROUNDS + 1):
        x = np.concatenate([mixture.draw(n - n // 10, rng), mixture.widened(_WIDER).draw(n // 10, rng)])
        squares = mixture.squares(x)
        terms = mixture.log_terms_of(squares)
        narrow = scipy.special.logsumexp(terms, axis=1)
        broad = scipy.special.logsumexp(mixture.log_terms_of(squares, _WIDER), axis=1)
        density = np.logaddexp(np.log(0.9) + narrow, np.log(0.1) + broad)
        log_w = np.nan_to_num(-energy(x) - density, nan=-np.inf)
        if k == _N_ROUNDS:
            break
        mixture = em_step(mixture, x, _flattened(log_w, 0.1), keeping, terms)
    return mixture, float(1 / (scipy.special.softmax(log_w) ** 2).sum() / n)


def _flattened(log_w: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Normalised weights ``exp(p log_w)`` with the largest p <= 1 that leaves `share` of them effective."""

    def weights(power: float) -> NDArray[np.float64]:
        return scipy.special.softmax(power * log_w)

    low, high = 0.0, 1.0
    if 1 / (weights(1.0) ** 2).sum() >= share * len(log_w):
        return weights(1.0)
    for _ in range(30):
        middle = 0.5 * (low + high)
        enough = 1 / (weights(middle) ** 2).sum() >= share * len(log_w)
        low, high = (middle, high) if enough else (low, middle)
    return weights(low)
