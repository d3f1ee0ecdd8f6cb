# SPDX-License-Identifier: MIT
r"""The reduced energy of identical particles as one law of the squared distance, oscillator included.

    E(x) / T = constant + sum_{i<j} reduced(d_ij^2),     d_ij = |x_i - x_j|

The oscillator is a pair law too: sum_i |x_i - mean|^2 = 1/n sum_{i<j} d_ij^2. Who builds configurations
out of particles needs nothing else of a system.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PairLaw"]


@dataclass(frozen=True)
class PairLaw:
    """What `AbstractSystem.pair_law` gives of a system of identical particles.

    Attributes
    ----------
    n_particles, n_axes : int
        n and the dimension of space.
    reduced : callable
        Squared distances, a float32 or float64 tensor of any shape, to the share of each pair in E / T,
        of the same shape and dtype; differentiable.
    constant : float
        What is left of E / T.

    Examples
    --------
    >>> import torch
    >>> from edgphys.systems.particles.lennard_jones import LennardJones
    >>> law = LennardJones(13, temperature=0.5).pair_law
    >>> law.n_particles, law.reduced(torch.tensor([1.0]))        # (-1 + 1/26) / 0.5
    (13, tensor([-1.9231]))
    """

    n_particles: int
    n_axes: int
    reduced: Callable[[Tensor], Tensor]
    constant: float = 0.0
