# SPDX-License-Identifier: MIT
"""Helpers of tests/edg: brute-force sums, symmetries of subsets of sites, models with random weights."""

from __future__ import annotations

import math

import numpy as np
import torch

from edgphys.edg.field.model import EDGModel
from edgphys.edg.refinement.network import BIAS_GAIN

__all__ = [
    "all_spins",
    "assert_means_on_grid",
    "boltzmann",
    "boltzmann_spins",
    "decimated_log_density",
    "draw_weights",
    "gauss_hermite_grid",
    "jackknife_log_mean",
    "log_gaussian",
    "make_model",
    "mean_err",
    "perturb",
    "restricted_group",
]


def all_spins(n):
    """All states of n spins, float64, shape (2**n, n)."""
    bits = torch.arange(2**n)[:, None] >> torch.arange(n)
    return 1.0 - 2.0 * (bits % 2).double()


def boltzmann(system):
    """All spin states, their probabilities, and ln Z, straight from the list of bonds."""
    spins = all_spins(system.n_sites)
    first, second = torch.tensor(system.lattice.bonds.T.astype(np.int64))
    energy = -system.coupling * (spins[:, first] * spins[:, second]).sum(1) - system.field * spins.sum(1)
    log_weight = -energy / system.temperature
    return spins, torch.softmax(log_weight, 0), float(torch.logsumexp(log_weight, 0))


def boltzmann_spins(system, n, generator):
    """n independent spin configurations of the Boltzmann distribution, shape (n, n_sites), float64."""
    spins, probabilities, _ = boltzmann(system)
    return spins[torch.multinomial(probabilities, n, replacement=True, generator=generator)]


def decimated_log_density(target, y, alpha=None, tilt=None):
    """log of the density of the soft spins y, by summing all states of the other sublattice.

    N(y; 0, 1) sum_{s_A} exp(beta h sum_a s_a + sum_b [sqrt(alpha) y_b m_b + log f(m_b) - alpha m_b^2 / 2])

    with f(m) = 2 cosh(K m + beta h). Only alpha and the choice of the sublattice are taken from the target.
    """
    system = target.system
    alpha = math.exp(target.log_alpha.item()) if alpha is None else alpha
    soft, spin = target.soft.cpu().numpy(), target.spin.cpu().numpy()
    states = all_spins(len(spin))
    m = states @ torch.tensor(system.lattice.adjacency[np.ix_(spin, soft)])
    bias = system.beta * system.field
    local = system.beta * system.coupling * m + bias
    log_f = torch.logaddexp(local, -local)
    static = bias * states.sum(1) + (log_f - 0.5 * alpha * m**2).sum(1)
    y = y.double()
    return torch.logsumexp(math.sqrt(alpha) * y @ m.T + static, 1) + log_gaussian(y)


def gauss_hermite_grid(n_dims, n_nodes):
    """Nodes (n, n_dims) and weights (n,) for averages over N(0, 1)^n_dims."""
    x, w = np.polynomial.hermite_e.hermegauss(n_nodes)
    nodes = np.stack([axis.ravel() for axis in np.meshgrid(*[x] * n_dims, indexing="ij")], axis=1)
    weights = np.stack([axis.ravel() for axis in np.meshgrid(*[w / w.sum()] * n_dims, indexing="ij")]).prod(0)
    return torch.tensor(nodes), torch.tensor(weights)


def log_gaussian(x, scale=1.0):
    """log N(x; 0, scale^2), summed over the last axis."""
    return (-0.5 * (x / scale) ** 2 - 0.5 * math.log(2 * math.pi * scale**2)).sum(-1)


def restricted_group(lattice, sites):
    """Space-group elements that map `sites` to themselves, as permutations of their positions in `sites`."""
    position = {int(site): k for k, site in enumerate(sites)}
    elements = []
    for permutation in lattice.space_group():
        image = [int(site) for site in permutation[sites]]
        if set(image) == set(position):
            elements.append([position[site] for site in image])
    return torch.tensor(np.unique(np.array(elements), axis=0))


def perturb(module, scale, seed):
    """Add normal noise to all trained parameters of a module, in place; returns the module.

    In the units of the coefficients of a law: a bias that is multiplied by a gain gets so much less.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.requires_grad:
                noise = torch.randn(parameter.shape, generator=generator)
                gain = BIAS_GAIN if name.endswith("even_bias") else 1.0
                parameter += scale / gain * noise.to(parameter)
    return module


def make_model(target, *, n_path_steps=4, size=(6, 2), seed=0, scale=0.0, device="cpu"):
    """A small model; with `scale` its weights, those that start at zero included, are random."""
    model = EDGModel(target, n_path_steps=n_path_steps, decoder_size=size, encoder_size=size, seed=seed)
    return perturb(model, scale, seed + 1).to(device)


def draw_weights(model, n, n_steps, seed, n_batch=4000):
    """log w of n samples, and the samples' configurations, float64 on the CPU."""
    from edgphys.edg.core.path import log_weights

    generator = torch.Generator(model.device).manual_seed(seed)
    parts = []
    for _ in range(n // n_batch):
        with torch.no_grad():
            draw = model.draw(n_batch, generator)
            log_density, configurations = model.target.lift(draw.x, generator)
            parts.append((log_weights(model, draw, log_density, n_steps, generator), configurations.double()))
    return tuple(torch.cat(column).cpu() for column in zip(*parts, strict=True))


def mean_err(values):
    """Mean and standard error of independent values."""
    values = torch.as_tensor(values, dtype=torch.float64)
    return float(values.mean()), float(values.std() / len(values) ** 0.5)


def jackknife_log_mean(log_values, n_blocks=100):
    """log of the mean of exp(values), bias corrected, and its error, by a blocked jackknife."""
    top = log_values.max()
    sums = torch.exp(log_values - top).reshape(n_blocks, -1).mean(1)
    full = float(torch.log(sums.mean()))
    left_out = torch.log((sums.sum() - sums) / (n_blocks - 1))
    estimate = n_blocks * full - (n_blocks - 1) * float(left_out.mean())
    err = math.sqrt((n_blocks - 1) * float(left_out.var(unbiased=False)))
    return estimate + float(top), err


def assert_means_on_grid(refinement, x, n_grid, atol):
    """Mean moments of the angles that are not exact, given all others, against sums over a fine grid."""
    sites = np.setdiff1d(np.arange(x.shape[1]), refinement.classes.exact)
    found = refinement.means.moments(refinement.law, x, refinement._around_exact(x), torch.from_numpy(sites))
    grid = torch.arange(n_grid, dtype=torch.float64) * (2 * math.pi / n_grid)
    for k, site in enumerate(sites):
        for row in range(len(x)):
            moved = x[row].expand(n_grid, x.shape[1]).clone()
            moved[:, site] = grid
            p = torch.softmax(refinement.log_marginal(moved), 0)
            np.testing.assert_allclose(found[row, k], p @ refinement.law.moments(grid), atol=atol)
