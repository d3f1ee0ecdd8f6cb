# SPDX-License-Identifier: MIT
"""What every generative model of the package is: the interface that bounds and weights are written for.

    c ~ p(c),   z ~ N(0, 1),   x ~ p_D(x | z, c);        p_E(c | x),   H(z_t, x, sigma, c) of the encoder

c is a discrete label (phases, basins; there may be only one), z are the Gaussian latents. The score of the
diffused posterior is ``-z_t + alpha H``, so ``<z0 | z_t, x> = alpha z_t + sigma^2 H``.

A model of a range of couplings draws them with the rest of a training batch (`condition`), whose bound takes
the model `at` them. `AbstractEDGModel.at_couplings` fixes them and gives a model like any other: weights know
of nothing else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from edgphys._checks import wrong
from edgphys.edg.core.module import Module
from edgphys.errors import ArgumentValueError

__all__ = ["AbstractEDGModel", "AbstractGenerator", "Decoded", "Draw", "check_no_condition", "log_normal"]


@dataclass(frozen=True)
class Draw:
    """A batch from the decoder.

    Attributes
    ----------
    z : tensor, shape (n_batch, n_latent)
    label : tensor, shape (n_batch, ...)
        c, in the form that the model gives it.
    x : tensor, shape (n_batch, n_dims)
    log_prob : float64 tensor, shape (n_batch,)
        log of p(c) N(z) p_D(x | z, c).
    condition : tensor, shape (n_batch, n_conditions), or None
        Couplings of each sample; None for a model at one set of them.
    """

    z: Tensor
    label: Tensor
    x: Tensor
    log_prob: Tensor
    condition: Tensor | None = None


@dataclass(frozen=True)
class Decoded:
    """A training batch, with what the bound needs of it.

    Attributes
    ----------
    z, label, x, condition : tensor
        As in `Draw`, differentiable.
    share : tensor, shape (n_batch,)
        Weight of each sample in averages over the model; mean 1.
    rest : scalar tensor
        <log p_D(x | z, c) + log p(c) - log p_E(c | x)>.
    """

    z: Tensor
    label: Tensor
    x: Tensor
    share: Tensor
    rest: Tensor
    condition: Tensor | None = None


class AbstractGenerator(Module, ABC):
    """What is trained and saved: an `AbstractEDGModel`, or one for each point of a range of couplings.

    Attributes
    ----------
    target : AbstractTarget
        Energy to sample, and the way from its variables to configurations.
    """

    target: Module

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the weights are."""

    @abstractmethod
    def at_couplings(self, couplings: Mapping[str, float]) -> AbstractEDGModel:
        """An ordinary model at one set of couplings of its range, whose target is that of the system there.

        Shares its weights; itself for a model that is of one set of couplings.
        """


class AbstractEDGModel(AbstractGenerator):
    """Decoder and encoder for one target; concrete models are final.

    Attributes
    ----------
    n_latent : int
        Number of Gaussian latents.
    n_path_steps : int
        K that the trained variances of the path kernel belong to.
    n_labels : int
        Values of c whose shares may be set anew for sampling, see `with_label_shares`; 1 if none.
    """

    n_latent: int
    n_path_steps: int
    n_labels: int = 1

    def at(self, condition: Tensor | None) -> AbstractEDGModel:
        """The model at given couplings, one row per sample or one for all; itself if there are none.

        Raises
        ------
        ArgumentValueError
            If the model is of one set of couplings and others are asked for.
        """
        check_no_condition(condition)
        return self

    def at_couplings(self, couplings: Mapping[str, float]) -> AbstractEDGModel:
        return self

    def with_label_shares(self, shares: Tensor) -> AbstractEDGModel:
        """The same model, drawing its labels with other probabilities, shape (n_labels,): weights stay exact.

        Only where `n_labels` is more than 1.
        """
        return self

    def label_number(self, label: Tensor) -> Tensor:
        """int64 from 0 to ``n_labels - 1``, shape (n_batch,)."""
        return torch.zeros(len(label), dtype=torch.int64, device=label.device)

    @abstractmethod
    def draw(self, n_samples: int, generator: torch.Generator) -> Draw:
        """Latents, label and x, with the density they were drawn from."""

    @abstractmethod
    def decode(self, n_batch: int, generator: torch.Generator) -> Decoded:
        """A training batch."""

    @abstractmethod
    def drive(self, z: Tensor, x: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        """H(z, x, sigma, c), shape (n_batch, n_latent)."""

    @abstractmethod
    def denoise(
        self, z: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor, label: Tensor, step: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Mean and variance of z0 given (z_t, x, c), as the path kernel takes them.

        Parameters
        ----------
        z : tensor, shape (n_batch, n_latent)
        x : tensor, shape (n_batch, n_dims)
        alpha, sigma : tensor, shape (n_batch,)
        label : tensor
        step : int64 tensor, shape (n_batch,), or None
            Index k of the step that leads down to z_k; None for a path of another K than the trained one.

        Returns
        -------
        mean : tensor, shape (n_batch, n_latent)
        variance : tensor, shape (n_batch, n_latent)
            Along the axes of `project`.
        """

    def project(self, z: Tensor) -> Tensor:
        """Latents in the orthonormal axes along which the path kernel is diagonal."""
        return z

    def combine(self, coefficients: Tensor) -> Tensor:
        """Inverse of `project`."""
        return coefficients

    @abstractmethod
    def log_prior_label(self, label: Tensor) -> Tensor:
        """log p(c), shape (n_batch,)."""

    @abstractmethod
    def log_prob_label(self, x: Tensor, label: Tensor) -> Tensor:
        """log p_E(c | x), shape (n_batch,)."""

    @abstractmethod
    def draw_label(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """c from p_E(c | x)."""

    @abstractmethod
    def log_prob_given(self, x: Tensor, z: Tensor, label: Tensor) -> Tensor:
        """log of p(c) N(z) p_D(x | z, c) at a given x, float64, shape (n_batch,)."""


def check_no_condition(condition: Tensor | None) -> None:
    """Refuse couplings where there is one set of them."""
    if condition is not None:
        raise wrong(ArgumentValueError, "condition", "None: there is one set of couplings here", condition)


def log_normal(z: Tensor) -> Tensor:
    """log N(z; 0, 1), summed over dimensions in float64."""
    return -0.5 * z.double().square().sum(1) - 0.5 * z.shape[1] * math.log(2.0 * math.pi)
