# SPDX-License-Identifier: MIT
r"""Draws sent back through the encoder, to see whether it puts latents where the decoder never goes.

Weights are unbiased only as far as the draws reach. With an encoder that holds latents possible which the
decoder sends elsewhere, the mean of w is carried by draws that never come: log Z is low by
-log(1 - share), while the weights that were drawn look equal and their effective sample size is high.

Draws chosen with probability w are draws of pi(x) p_E(z | x) as far as the decoder covers it. For new latents
z' from p_E(. | x) of the same x, log w(x, z') has then the law of log w among the chosen ones, of which none
lies above the largest weight drawn. The share of z' that do is the part of the target that was not seen.

This cannot see a mode of x without any draw. A model that keeps some configurations of a Markov chain with
its weights (`AbstractTarget.witnesses`) sends back these in place of its draws, and sees that too;
`EDG.upper_bound` does it with a reference of one's own.
"""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.path import reverse_log_weights

__all__ = ["RoundTrips"]

# Weights that are equal up to rounding are not above each other.
_MARGIN = 1e-3


@final
class RoundTrips:
    """Chooses draws by their weights, batch by batch, without keeping the others.

    Parameters
    ----------
    n_wanted : int
        How many are to be sent back.
    rng : numpy.random.Generator
        For the choice.
    generator : torch.Generator
        For the way back, on the model's device.
    """

    def __init__(self, n_wanted: int, rng: np.random.Generator, generator: torch.Generator) -> None:
        self.n_wanted, self._rng, self._generator = n_wanted, rng, generator
        self._kept: tuple[Tensor, ...] | None = None
        self._largest, self._dtype = -np.inf, torch.float32

    def add(self, x: Tensor, log_density: Tensor, log_weights: Tensor) -> None:
        """Draws as the model sees them, with the log-density of the target there, and their log weights."""
        self._largest, self._dtype = max(self._largest, float(log_weights.max())), x.dtype
        # The largest of log w + Gumbel noise: chosen by weight, none twice (Efraimidis and Spirakis).
        keys = log_weights + torch.from_numpy(self._rng.gumbel(size=len(x))).to(log_weights)
        new = (keys, x, log_density)
        both = new if self._kept is None else tuple(map(torch.cat, zip(self._kept, new, strict=True)))
        best = torch.topk(both[0], min(self.n_wanted, len(both[0]))).indices
        self._kept = tuple(part[best] for part in both)

    def unseen(
        self,
        model: AbstractEDGModel,
        n_steps: int,
        witnesses: Tensor | None = None,
        *,
        annealed: bool = False,
    ) -> dict[str, int]:
        """``n_sent_back``, and ``n_unseen`` of them whose weight is above all those that were added.

        `witnesses`, configurations of the system, are sent back in place of draws; with `annealed` they are
        of the system at the start of the ladder, and so are all weights.
        """
        if witnesses is not None:
            target = model.target
            lower = target.lower_start if annealed else target.lower
            moved = target.training_system.random_symmetry(witnesses.double(), self._generator)
            x, log_density = lower(moved.to(self._dtype), self._generator)
        elif self._kept is None or not len(self._kept[0]):
            return {"n_sent_back": 0, "n_unseen": 0}
        else:
            _, x, log_density = self._kept
        log_w = reverse_log_weights(model, x, log_density, n_steps, self._generator)
        return {"n_sent_back": len(x), "n_unseen": int((log_w > self._largest + _MARGIN).sum())}
