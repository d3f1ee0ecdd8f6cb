# SPDX-License-Identifier: MIT
r"""How often each label is drawn: for the least variance of the weights, from a pilot.

Training minimises a divergence that hardly counts labels whose draws are rare but heavy: their share falls to
its floor, and their few draws carry large weights. When sampling p(c) may be anything. With W = w p(c), which
does not depend on p(c), the second moment of the weights is

    sum_c <W^2>_c / p(c),      least at      p(c) ~ <W^2>_c^{1/2} .

It costs some of the bound, so the trained shares stay those of the model.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.call_options import SampleOptions
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.path import log_weights
from edgphys.edg.trained import spawned_generator

__all__ = ["best_shares", "with_best_shares"]

# Draws of the pilot for each label, fewest draws for which there is one, and the least share of a label.
_N_PILOT, _LEAST_DRAWS, _LEAST_SHARE = 128, 2000, 0.02


def with_best_shares(
    model: AbstractEDGModel,
    options: SampleOptions,
    n_samples: int,
    n_steps: int,
    seed: int,
    *,
    annealed: bool,
) -> tuple[AbstractEDGModel, dict[str, list[float]], int]:
    """The model with the shares of a pilot, what the settings say of them, and the pilot's draws.

    Untouched where the call asks for a number of views, so that its numbers are those of the trained shares,
    for weights of the flow, for draws that are annealed, and where a pilot would be a large part of all.
    """
    asked = options.n_views != "auto" or options.weights != "path"
    if model.n_labels == 1 or asked or annealed or n_samples < _LEAST_DRAWS:
        return model, {}, 0
    generator = spawned_generator(np.random.SeedSequence(seed, spawn_key=(7,)), model.device)
    shares = best_shares(model, n_steps, generator)
    told = {"label_shares": [round(float(share), 6) for share in shares]}
    return model.with_label_shares(shares), told, _N_PILOT * model.n_labels


@torch.no_grad()
def best_shares(model: AbstractEDGModel, n_steps: int, generator: torch.Generator) -> Tensor:
    """p(c) of least variance, float64, shape (n_labels,).

    Parameters
    ----------
    model : AbstractEDGModel
    n_steps : int
        K of the path.
    generator : torch.Generator
        On the model's device.
    """
    n = model.n_labels
    even = model.with_label_shares(torch.full((n,), 1.0 / n))
    draw = even.draw(_N_PILOT * n, generator)
    log_density, _ = model.target.lift(draw.x, generator)
    log_w = log_weights(even, draw, log_density, n_steps, generator)
    square = torch.exp(2.0 * (log_w - log_w.max()))
    number = model.label_number(draw.label)
    counts = torch.bincount(number, minlength=n).clamp(min=1)
    moments = torch.zeros(n, dtype=square.dtype, device=square.device).index_add(0, number, square) / counts
    shares = torch.sqrt(moments)
    shares = (shares / shares.sum()).clamp(min=_LEAST_SHARE)
    return shares / shares.sum()
