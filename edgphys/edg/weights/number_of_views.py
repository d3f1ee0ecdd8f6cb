# SPDX-License-Identifier: MIT
r"""How many views a draw is weighed from, where the call leaves it open: ``n_views="auto"``.

A draw with K views costs about 1 + K evaluations of the networks, and what its weight adds to the variance
of an average is the relative variance of w_K. A pilot of an eighth as many draws, at most 256,
not used again, is weighed from 16 sides, and that K of 1, 2, 4, 8, 16 is taken which has the least

    (1 + K) (<w_K^2> / <w_K>^2 - 1) .

With the weight w_16 all sides of a draw are alike, the one that made it too. So <w_K^2> = <w_16 w_K> for w_K
of any K sides, among which large weights, rare on the side that made a draw, come as often as they count.

The pilot has a seed of its own and no time is measured: a seed gives the same numbers everywhere. Without a
pilot 8 views are taken where draws are annealed, which costs far more than views do, where there are fewer
than 512 draws, for which a pilot would cost more than the views, and for bounds from reference samples; one
view for weights of the flow, and where a system gives no way back from its configurations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.call_options import SampleOptions
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.path import log_weights
from edgphys.edg.trained import spawned_generator
from edgphys.edg.weights.views import harmonic_mean, redraw

__all__ = [
    "DEFAULT",
    "NumberOfViews",
    "best_number",
    "number_of_views",
    "number_without_pilot",
    "relative_variances",
]

DEFAULT = 8
_CHOICES = (1, 2, 4, 8, 16)
# Draws of the pilot: this part of all, from 64, which tell variances apart, to 256.
_PART, _LEAST_PILOT, _MOST_PILOT = 8, 64, 256
# Below so many effective draws of the pilot with all views its variances say nothing.
_LEAST_EFFECTIVE = 16
# Weights whose variance is less are as good as equal, which no view can make better.
_LEAST_VARIANCE = 1e-3


@dataclass(frozen=True)
class NumberOfViews:
    """How many views, and who says so.

    Attributes
    ----------
    n : int
    chosen_by : str, optional
        "pilot" or "rule"; None where the call gave the number.
    n_pilot : int
        Draws of the pilot.
    """

    n: int
    chosen_by: str | None = None
    n_pilot: int = 0

    @property
    def settings(self) -> dict[str, int | str]:
        """As a dataset records them; nothing where one view was asked for."""
        if self.chosen_by is None:
            return {"n_views": self.n} if self.n > 1 else {}
        return {"n_views": self.n, "n_views_from": self.chosen_by}

    def n_more_energies(self, n_samples: int) -> int:
        """Energies of further views and of the pilot, besides one for each of `n_samples` draws."""
        return (self.n - 1) * n_samples + _CHOICES[-1] * self.n_pilot


def number_without_pilot(options: SampleOptions, model: AbstractEDGModel) -> NumberOfViews:
    """That of the call, or what "auto" means where there is no pilot."""
    if options.n_views != "auto":
        return NumberOfViews(int(options.n_views))
    if options.weights == "ode":
        return NumberOfViews(1)
    return NumberOfViews(DEFAULT if model.target.system.has_way_back else 1, "rule")


def number_of_views(
    model: AbstractEDGModel,
    options: SampleOptions,
    n_samples: int,
    n_steps: int,
    seed: int,
    *,
    annealed: bool,
) -> NumberOfViews:
    """For so many draws of the model.

    Parameters
    ----------
    model : AbstractEDGModel
    options : SampleOptions
    n_samples, n_steps : int
        Draws, and K of their path.
    seed : int
        Of the draws; that of the pilot is spawned from it.
    annealed : bool
        Whether the draws are.
    """
    found = number_without_pilot(options, model)
    n_pilot = min(_MOST_PILOT, n_samples // _PART)
    if found.chosen_by is None or found.n == 1 or annealed or n_pilot < _LEAST_PILOT:
        return found
    generator = spawned_generator(np.random.SeedSequence(seed, spawn_key=(4,)), model.device)
    sizes = [min(options.batch_size, n_pilot - first) for first in range(0, n_pilot, options.batch_size)]
    sides = torch.cat([_all_sides(model, size, n_steps, generator) for size in sizes], 1)
    return NumberOfViews(best_number(sides), "pilot", n_pilot)


@torch.no_grad()
def _all_sides(model: AbstractEDGModel, size: int, n_steps: int, generator: torch.Generator) -> Tensor:
    """log w from the side that made each draw and from 15 others, float64, shape (16, size)."""
    draw = model.draw(size, generator)
    log_density, configurations = model.target.lift(draw.x, generator)
    first = log_weights(model, draw, log_density, n_steps, generator)
    more = redraw(model, configurations.to(draw.x), _CHOICES[-1] - 1, n_steps, generator)
    return torch.cat([first[None], more])


def best_number(sides: Tensor) -> int:
    """The number of least cost times variance, from log w of 16 sides, shape (16, n_draws).

    Examples
    --------
    >>> noise = torch.randn(16, 256, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> best_number(0.5 * noise), best_number(noise[:1].expand(16, -1))
    (16, 1)
    """
    variances = relative_variances(sides)
    if sides.shape[1] < _LEAST_EFFECTIVE * (1.0 + variances[_CHOICES[-1]]):
        return DEFAULT
    return min(_CHOICES, key=lambda n: (1 + n) * max(variances[n], _LEAST_VARIANCE))


def relative_variances(sides: Tensor) -> dict[int, float]:
    """That of w_K in units of its squared mean, by K: <w_16 w_K> / <w_16>^2 - 1 over all sets of K sides."""
    all_sides = harmonic_mean(sides)
    variances = {}
    for n in _CHOICES:
        sets = torch.stack([harmonic_mean(part) for part in sides.split(n)])
        log_square = torch.logsumexp(all_sides + sets, (0, 1)) - 2.0 * torch.logsumexp(all_sides, 0)
        variances[n] = float(log_square.exp()) * all_sides.numel() / len(sets) - 1.0
    return variances
