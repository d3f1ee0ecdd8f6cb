# SPDX-License-Identifier: MIT
r"""One ordered phase out of many: a smooth choice of the direction of order, undone by the symmetry.

Let a group act on all sites together without a change of the density pi(y). A law p(g | y) of an element,
with p(h g | h y) = p(g | y), makes (y, g) a pair whose second half carries nothing: with y' = g^{-1} y

    pi(y) p(g | y) = pi(y') p(1 | y')     for every g ,      Z = |G| int dy' pi(y') p(1 | y') ,

so that y' alone need be drawn, from one phase with what lies between the phases, and g at random. Here

    p(g | y)  ~  exp(kappa m . g e) ,     m = sum_i u_i y_i ,

with y_i the vector of site i, u the strongest mode of M^{1/2}, e the direction of the first phase: a softmax
over the q phases of states, the laws of von Mises and Fisher over the directions of rotors.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.core.module import Module
from edgphys.edg.refinement.coarse_relaxation import CoarseRelaxation
from edgphys.edg.refinement.law import AbstractVectorLaw
from edgphys.edg.refinement.states_law import StatesLaw
from edgphys.edg.refinement.von_mises import draw_von_mises, log_bessel
from edgphys.edg.refinement.von_mises_fisher import draw_von_mises_fisher, log_sphere

__all__ = ["AbstractPhaseFrame", "CircleFrame", "SphereFrame", "StatesFrame", "frame_of"]


class AbstractPhaseFrame(Module, ABC):
    """Declaration of a frame; see the module docstring.

    Parameters
    ----------
    relaxation : CoarseRelaxation
        Gives u, and y component by component.

    Attributes
    ----------
    sharpness : float64 tensor, shape ()
        kappa; set by `fit`.
    """

    mode: Tensor
    sharpness: Tensor

    def __init__(self, relaxation: CoarseRelaxation) -> None:
        super().__init__()
        self._relaxation = [relaxation]  # the target's own module, not a second copy in the state
        _, vectors = np.linalg.eigh(relaxation.root.cpu().numpy())
        mode = vectors[:, -1] * np.sign(vectors[:, -1].sum() or 1.0)
        self.register_buffer("mode", torch.from_numpy(mode.copy()))
        self.register_buffer("sharpness", torch.ones((), dtype=torch.float64))

    def order(self, y: Tensor) -> Tensor:
        """m, shape (n_components, n_batch)."""
        return self._relaxation[0].components(y) @ self.mode.to(y.dtype)

    def fit(self, y: Tensor) -> None:
        """kappa from draws: the size of m, at which two phases differ as much as the noise of y allows."""
        self.sharpness.copy_(self.order(y).square().sum(0).mean().sqrt())

    @abstractmethod
    def log_prob(self, y: Tensor) -> Tensor:
        """log of p(1 | y) over that of a uniform law, differentiable, shape (n_batch,)."""

    @abstractmethod
    def turn(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """g^{-1} y with g drawn from p(g | y)."""

    def _moved(self, matrices: Tensor, y: Tensor) -> Tensor:
        """Matrices (n_batch, n_components, n_components) applied to the vector of every site."""
        return torch.einsum("bcd,dbi->bci", matrices.to(y), self._relaxation[0].components(y)).flatten(1)


@final
class StatesFrame(AbstractPhaseFrame):
    """The q phases of states that a shift s -> s + k takes into one another."""

    def __init__(self, relaxation: CoarseRelaxation) -> None:
        super().__init__(relaxation)
        law = relaxation.law
        assert isinstance(law, StatesLaw)
        vectors = law.vectors.cpu()
        inverse = torch.linalg.pinv(vectors)
        shifts = [torch.roll(vectors, k, dims=1) @ inverse for k in range(law.n_states)]
        self.register_buffer("vectors", vectors, persistent=False)
        # Number k takes v_s to v_{s-k}.
        self.register_buffer("matrices", torch.stack(shifts), persistent=False)

    def _log_probs(self, y: Tensor) -> Tensor:
        """Of all phases, shape (n_batch, q)."""
        height = self.order(y).T @ self.get_buffer("vectors").to(y.dtype)
        return torch.log_softmax(self.sharpness.to(y.dtype) * height, dim=1)

    def log_prob(self, y: Tensor) -> Tensor:
        log_probs = self._log_probs(y)
        return log_probs[:, 0] + math.log(log_probs.shape[1])

    def turn(self, y: Tensor, generator: torch.Generator) -> Tensor:
        phase = torch.multinomial(self._log_probs(y).double().exp(), 1, generator=generator)[:, 0]
        return self._moved(self.get_buffer("matrices")[phase], y)


@final
class CircleFrame(AbstractPhaseFrame):
    """The directions of vectors in a plane."""

    def log_prob(self, y: Tensor) -> Tensor:
        scaled = self.sharpness.to(y.dtype) * self.order(y)
        # The norm has no derivative at 0.
        size = torch.sqrt(scaled.square().sum(0) + 1e-12)
        return scaled[0] - log_bessel(size) + math.log(2.0 * math.pi)

    def turn(self, y: Tensor, generator: torch.Generator) -> Tensor:
        along, across = self.sharpness * self.order(y).double()
        off = draw_von_mises(torch.hypot(along, across), generator)
        angle = torch.atan2(across, along) + off
        cos, sin = torch.cos(angle), torch.sin(angle)
        back = torch.stack([torch.stack([cos, sin], dim=1), torch.stack([-sin, cos], dim=1)], dim=1)
        return self._moved(back, y)


@final
class SphereFrame(AbstractPhaseFrame):
    """The directions of vectors in space."""

    def log_prob(self, y: Tensor) -> Tensor:
        scaled = self.sharpness.to(y.dtype) * self.order(y)
        return scaled[0] - log_sphere(scaled.square().sum(0)) + math.log(4.0 * math.pi)

    def turn(self, y: Tensor, generator: torch.Generator) -> Tensor:
        direction = draw_von_mises_fisher(self.sharpness * self.order(y).double().T, generator)
        # The reflection that takes it to the first axis.
        normal = direction - torch.eye(3).to(direction)[0]
        normal = normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True).clamp(min=1e-300)
        mirror = torch.eye(3).to(direction) - 2.0 * normal[:, :, None] * normal[:, None, :]
        return self._moved(mirror, y)


def frame_of(relaxation: CoarseRelaxation, symmetries: tuple[str, ...]) -> AbstractPhaseFrame | None:
    """Of a system with these symmetries; None where no phases are alike, or two of opposite sign."""
    law: AbstractVectorLaw = relaxation.law
    if law.n_components < 2:
        return None
    if isinstance(law, StatesLaw):
        return StatesFrame(relaxation) if {"permutation", "dihedral"} & set(symmetries) else None
    if "orthogonal" not in symmetries:
        return None
    return CircleFrame(relaxation) if law.n_components == 2 else SphereFrame(relaxation)
