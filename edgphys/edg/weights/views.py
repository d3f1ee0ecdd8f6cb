# SPDX-License-Identifier: MIT
r"""Views: one draw, weighed from K sides.

A joint weight is a one-sample estimate of pi(x) / p_D(x). Let v be all that is internal (the element g of the
symmetry group that moved the finished configuration, label, latents, path, internal spins), p(v, x) the law
of the generator, r(v | x) that of the encoder with g uniform, and w(x, v) = pi(x) r(v | x) / p(v, x). With
v_1 the one that made x and v_2 .. v_K drawn from r(. | x), each with an element of its own,

    w_K(x) = [ (1/K) sum_k 1 / w(x, v_k) ]^(-1) .

E[w_K] = Z for every K, network and group: under the law in which any of the K is as likely to have made x,

    (1/K) sum_j p(v_j, x) prod_{k != j} r(v_k | x)  =  pi(x) prod_k r(v_k | x) / w_K(x) ,

and the average over j changes nothing, because w_K is symmetric in the v_k. E[log w_K] rises with K
towards the bound of the marginal law of x, averaged over the orbit of x. From the other side, x from a
reference and all K from r: E[log w_K] >= log Z, falling with K.

The elements belong to each draw. A set shared by a batch makes errors that the draws share, and no error bar
sees them.

References
----------
Sobolev, Vetrov, arXiv:1909.03406, Theorem 1 (redrawn latents); Veach, Guibas, SIGGRAPH 95 (the balance
heuristic, of which the average over an orbit is a case).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.path import reverse_log_weights

__all__ = ["Back", "ViewSpread", "harmonic_mean", "redraw", "redraw_by"]

Back = Callable[[], tuple[Tensor, Tensor]]


def harmonic_mean(log_w: Tensor) -> Tensor:
    """log of the harmonic mean over the first axis, (n_views, n_batch) -> (n_batch,).

    A view in which the generator cannot make x has log w = inf and counts as 1/w = 0.

    Examples
    --------
    >>> round(float(harmonic_mean(torch.tensor([[0.0], [math.log(0.5)]])).exp()), 6)
    0.666667
    """
    return math.log(len(log_w)) - torch.logsumexp(-log_w, 0)


@torch.no_grad()
def redraw(
    model: AbstractEDGModel,
    configurations: Tensor,
    n_views: int,
    n_steps: int,
    generator: torch.Generator,
) -> Tensor:
    """log w of finished configurations with everything internal drawn anew, as `redraw_by`.

    `configurations`, shape (n_batch, n_variables), lie on the model's device; where there are several views,
    each is moved by a symmetry of its own.
    """
    target = model.target

    def back() -> tuple[Tensor, Tensor]:
        if n_views == 1:
            return target.lower(configurations, generator)
        return target.lower(target.system.random_symmetry(configurations, generator), generator)

    return redraw_by(back, model, n_views, n_steps, generator)


@torch.no_grad()
def redraw_by(
    back: Back, model: AbstractEDGModel, n_views: int, n_steps: int, generator: torch.Generator
) -> Tensor:
    """log w with everything internal drawn anew, float64, shape (n_views, n_batch).

    Parameters
    ----------
    back : callable
        Gives x, shape (n_batch, n_dims), and its log-density on the extended space of the target, drawn anew
        at every call.
    model : AbstractEDGModel
    n_views : int
        At least 1.
    n_steps : int
        K of the path.
    generator : torch.Generator
        On the model's device.
    """
    return torch.stack([reverse_log_weights(model, *back(), n_steps, generator) for _ in range(n_views)])


@dataclass
class ViewSpread:
    """How the variance of log w splits, from batches of (n_views, n_batch).

    The part within draws is what more views take away; the part between draws is what all views share, and
    only training does.
    """

    _means: list[Tensor] = field(default_factory=list)
    _within: list[Tensor] = field(default_factory=list)
    _n_views: int = 0

    def add(self, log_w: Tensor) -> None:
        """Redrawn views of a batch; fewer than two say nothing, nor do draws of no weight."""
        log_w = log_w[:, torch.isfinite(log_w).all(0)]
        if len(log_w) > 1 and log_w.shape[1]:
            self._means.append(log_w.mean(0).cpu())
            self._within.append(log_w.var(0).cpu())
            self._n_views = len(log_w)

    def state(self) -> dict[str, Any]:
        """For `restore`; not changed by what comes."""
        return {"means": list(self._means), "within": list(self._within), "n_views": self._n_views}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self._means, self._within = list(state["means"]), list(state["within"])
        self._n_views = state["n_views"]

    def attrs(self) -> dict[str, float]:
        """``log_weight_variance_within`` and ``log_weight_variance_between`` of single views; or nothing."""
        if not self._means:
            return {}
        means, within = torch.cat(self._means), float(torch.cat(self._within).mean())
        # The means of few views scatter by their part of the variance within.
        between = float(means.var(correction=0)) - within / self._n_views
        return {
            "log_weight_variance_within": within,
            "log_weight_variance_between": max(between, 0.0),
        }
