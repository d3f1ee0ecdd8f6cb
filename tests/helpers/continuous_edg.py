# SPDX-License-Identifier: MIT
"""Helpers of the tests of EDG for continuous systems: models on hand-made mixtures, without a search."""

from __future__ import annotations

import math

import numpy as np
import torch

from edgphys.edg.mixture.decoder import MixtureDecoder
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture
from edgphys.edg.mixture.hamiltonian_decoder import HamiltonianDecoder
from edgphys.edg.mixture.model import ContinuousModel
from edgphys.edg.mixture.wide_components import LEAST_SHARE
from edgphys.edg.targets.continuous import AbstractCountedTarget, ContinuousTarget
from edgphys.systems import DoubleWell, Harmonic, ManyWell, Potential
from helpers.edg import perturb

__all__ = ["SYSTEMS", "build", "log_mixture", "spread_mixture", "two_wells"]


def spread_mixture(n_dims, seed=0, n_components=2):
    """Overlapping components of full covariance around the origin, of unequal weights."""
    rng = np.random.default_rng(seed)
    roots = []
    for _ in range(n_components):
        # The spectrum of the sum stays within 0.9: all roots are positive.
        matrix = 0.3 * rng.standard_normal((n_dims, n_dims)) / (2.0 * n_dims) ** 0.5
        roots.append(1.1 * np.eye(n_dims) + matrix + matrix.T)
    # Means that float32 holds: the frames keep them so.
    means = np.round(0.5 * rng.standard_normal((n_components, n_dims)) * 64) / 64
    weights = np.arange(1.0, n_components + 1.0)
    return GaussianMixture(weights / weights.sum(), means, np.array(roots))


def two_wells(place, widths, shares=(0.6, 0.4)):
    """Components at +-`place` along the first axis, of standard deviations `widths`."""
    means = np.zeros((2, len(widths)))
    means[:, 0] = place, -place
    return GaussianMixture(np.array(shares), means, np.repeat(np.diag(widths)[None], 2, 0))


def log_mixture(mixture, x):
    """log density of a Gaussian mixture, float64 (n_batch,), written anew."""
    x = torch.as_tensor(x, dtype=torch.float64)
    terms = [
        math.log(weight)
        + torch.distributions.MultivariateNormal(
            torch.tensor(mean), covariance_matrix=torch.tensor(root @ root.T)
        ).log_prob(x)
        for weight, mean, root in zip(mixture.weights, mixture.means, mixture.factors, strict=True)
    ]
    return torch.logsumexp(torch.stack(terms), 0)


def _double_well_function(x):
    return 2.0 * (x[:, 0] ** 2 - 1.0) ** 2 + 0.3 * x[:, 0] + 0.5 * x[:, 1] ** 2


def _potential():
    """The energy of a double well as a user's function, its gradient by autograd; with the exact log Z."""
    return Potential(_double_well_function, n_dims=2), _double_well().exact_results()["log_z"]


def _double_well():
    return DoubleWell(n_dims=2, barrier=2.0, tilt=0.3)


def _with_exact(system):
    return system, system.exact_results()["log_z"]


# Name -> (system, exact log Z), number of blocks, mixture of one block.
SYSTEMS = {
    "harmonic 1": lambda: (_with_exact(Harmonic(n_dims=1, temperature=0.8)), 1, spread_mixture(1)),
    "harmonic 3": lambda: (_with_exact(Harmonic(n_dims=3, ratio=3.0)), 1, spread_mixture(3, 1, 3)),
    "double well": lambda: (_with_exact(_double_well()), 1, two_wells(0.9, [0.45, 1.1])),
    "potential": lambda: (_potential(), 1, two_wells(0.9, [0.45, 1.1])),
    "many well 4": lambda: (_with_exact(ManyWell(n_dims=4)), 2, two_wells(1.73, [0.24, 1.05], (0.7, 0.3))),
    "many well 8": lambda: (_with_exact(ManyWell(n_dims=8)), 4, two_wells(1.73, [0.22, 1.05], (0.8, 0.2))),
}


def build(
    system,
    mixture,
    *,
    n_leapfrog=0,
    n_blocks=1,
    n_path_steps=4,
    diffusion=True,
    size=(6, 1),
    seed=0,
    scale=0.0,
    device="cpu",
    n_wide=0,
):
    """A small model, Hamiltonian if `n_leapfrog`; `scale` is of noise on all parameters, zeros included."""
    target = system if isinstance(system, AbstractCountedTarget) else ContinuousTarget(system)
    generator = torch.Generator().manual_seed(seed)
    if n_leapfrog:
        decoder = HamiltonianDecoder(mixture, target.gradient, n_leapfrog, *size, generator, n_wide=n_wide)
    else:
        decoder = MixtureDecoder(mixture, *size, generator, n_wide)
    model = ContinuousModel(
        target,
        decoder,
        torch.from_numpy(np.log(mixture.weights)),
        n_blocks=n_blocks,
        n_path_steps=n_path_steps,
        diffusion=diffusion,
        size=size,
        generator=generator,
        least_shares=torch.tensor([0.0] * (len(mixture.weights) - n_wide) + [LEAST_SHARE] * n_wide),
    )
    return perturb(model, scale, seed + 1).to(device)
