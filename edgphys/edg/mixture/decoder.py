# SPDX-License-Identifier: MIT
r"""The mixture decoder: one map of the latents for each basin, for a few variables without symmetry.

    x = m_c + L_c [ A_c z + f(z, c) + s_c xi ],     c ~ p(c),   z, xi ~ N(0, 1)^d

m_c and L_c are the mean and the root of the covariance of component c of a Gaussian mixture that approximates
exp(-U) (`edgphys.edg.mixture.gaussian_mixture`); at the start ``A_c^2 + s_c^2 = 1`` and f = 0, so that the
decoder *is* that mixture. Training bends the components (f, a network), reshapes them (A, s) and changes
their shares p(c). The last components, wide ones (`edgphys.edg.mixture.wide_components`), stay as they are:
their draws are there for what the others lose (`Bent`, which the Hamiltonian decoder has too).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.core.networks import Perceptron
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture

__all__ = ["Bent", "Frames", "MixtureDecoder"]

# Variance of the output noise over that of the component, at the start.
_NOISE_SHARE = 0.3


class Frames(Module):
    """The affine maps ``x = m_c + L_c y`` of the components, fixed."""

    def __init__(self, mixture: GaussianMixture) -> None:
        super().__init__()
        self.register_buffer("means", torch.tensor(mixture.means, dtype=torch.float32))
        self.register_buffer("roots", torch.tensor(mixture.factors))
        self.register_buffer("inverses", torch.linalg.inv(self.roots), persistent=False)
        self.register_buffer("log_dets", torch.logdet(self.roots), persistent=False)
        self.n_labels, self.n_dims = self.means.shape

    def outward(self, y: Tensor, label: Tensor) -> Tensor:
        """x of y."""
        roots = self.roots[label].to(y.dtype)
        return self.means[label].to(y.dtype) + torch.einsum("nij,nj->ni", roots, y)

    def inward(self, x: Tensor, label: Tensor) -> Tensor:
        """y of x."""
        inverses = self.inverses[label].to(x.dtype)
        return torch.einsum("nij,nj->ni", inverses, x - self.means[label].to(x.dtype))

    def all_inward(self, x: Tensor) -> Tensor:
        """y of x in every frame, shape (n_batch, n_labels, n_dims)."""
        shifted = x[:, None] - self.means.to(x.dtype)
        return torch.einsum("cij,ncj->nci", self.inverses.to(x.dtype), shifted)


@final
class Bent(Module):
    """Which components training bends, and what the others, the last `n_wide`, stay: N(0, 1) in their frame.

    Attributes
    ----------
    log_amplitude, log_noise : float
        Of one latent, and of the noise, of a component that stays.
    """

    log_amplitude, log_noise = 0.5 * math.log(1 - _NOISE_SHARE), 0.5 * math.log(_NOISE_SHARE)

    def __init__(self, n_labels: int, n_wide: int) -> None:
        super().__init__()
        bent = torch.arange(n_labels) < n_labels - n_wide
        self.register_buffer("is_bent", bent[:, None], persistent=False)

    def forward(self, mean: Tensor, log_noise: Tensor, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log noise of every draw: those given, or of latents z, (n_batch, n_dims), that stay."""
        bent = self.is_bent[label]
        still = torch.exp(z.new_tensor(self.log_amplitude)) * z
        return torch.where(bent, mean, still), torch.where(bent, log_noise, self.log_noise)


@final
class MixtureDecoder(Module):
    """One-shot decoder of a block of variables; see the module docstring.

    Parameters
    ----------
    mixture : GaussianMixture
    width, depth : int
        Of the network.
    generator : torch.Generator
        For its initial weights.
    n_wide : int
        The last components, so many, stay as they are.

    Attributes
    ----------
    n_dims, n_latent, n_labels : int
    n_groups : int
        Latents come in so many groups of `n_dims`; 1 here.
    has_force : bool
        Whether there is a `force` that the encoder may see.
    """

    n_groups = 1
    has_force = False

    def __init__(
        self,
        mixture: GaussianMixture,
        width: int,
        depth: int,
        generator: torch.Generator,
        n_wide: int = 0,
    ) -> None:
        super().__init__()
        self.frames = Frames(mixture)
        n_labels, n_dims = self.frames.n_labels, self.frames.n_dims
        self.n_labels = n_labels
        self.n_dims = self.n_latent = n_dims
        self.log_amplitude = nn.Parameter(torch.full((n_labels, n_dims), Bent.log_amplitude))
        self.log_noise = nn.Parameter(torch.full((n_labels, n_dims), Bent.log_noise))
        self.network = Perceptron(n_dims + n_labels, n_dims, width, depth, generator)
        self.bent = Bent(n_labels, n_wide)

    def driven_by(self, gradient: Callable[[Tensor], Tensor]) -> MixtureDecoder:
        """The decoder with the force of another energy: itself, for it has none."""
        return self

    def linear_theory(self) -> tuple[Tensor, Tensor]:
        """Amplitude of each latent, (n_labels, 1, n_dims), and noise, (n_labels, n_dims), at the start."""
        return torch.exp(self.log_amplitude.detach())[:, None], torch.exp(self.log_noise.detach())

    def centre(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean of y and log of its standard deviation, both (n_batch, n_dims), in the frame of the label."""
        kind = nn.functional.one_hot(label, self.n_labels).to(z.dtype)
        bend = self.network(torch.cat([z, kind], 1))
        return self.bent(torch.exp(self.log_amplitude[label]) * z + bend, self.log_noise[label], z, label)
