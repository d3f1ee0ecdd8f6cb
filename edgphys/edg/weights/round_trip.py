# SPDX-License-Identifier: MIT
r"""Draws sent back through the encoder, to see whether it puts latents where the decoder never goes.

Weights are unbiased only as far as the draws reach. With an encoder that holds latents possible which the
decoder sends elsewhere, the mean of w is carried by draws that never come: log Z is low by
-log(1 - share), while the weights that were drawn look equal and their effective sample size is high.

Draws chosen with probability w are draws of pi(x) p_E(z | x) as far as the decoder covers it. For new latents
z' from p_E(. | x) of the same x, log w(x, z') has then the law of log w among the chosen ones, of which none
lies above the largest weight drawn. The share of z' that do is the part of the target that was not seen.

For the same reason the x themselves are moved first, by short chains that leave the target invariant
(`edgphys.edg.weights.short_chains`): they leave for tails of the target that the draws do not reach.

Among n draws of healthy weights some of the target lies above the largest by chance, about max w / sum w.

This cannot see a far mode of x without any draw. A model that keeps some configurations of a Markov chain
with its weights (`AbstractTarget.witnesses`) sends back these too, and tells what is the worse of both;
`EDG.upper_bound` does it with a reference of one's own.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.path import reverse_log_weights
from edgphys.edg.weights.short_chains import ShortChains

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
        self._largest, self._log_total, self._dtype = -np.inf, -np.inf, torch.float32

    def add(self, x: Tensor, log_density: Tensor, log_weights: Tensor, states: Tensor | None = None) -> None:
        """Draws as the model sees them, with the log-density of the target there, and their log weights.

        `states` are what short chains move: configurations, or variables of a system to anneal from.
        """
        self._largest, self._dtype = max(self._largest, float(log_weights.max())), x.dtype
        self._log_total = np.logaddexp(self._log_total, float(torch.logsumexp(log_weights, 0)))
        # The largest of log w + Gumbel noise: chosen by weight, none twice (Efraimidis and Spirakis).
        keys = log_weights + torch.from_numpy(self._rng.gumbel(size=len(x))).to(log_weights)
        new = (keys, x, log_density, x if states is None else states)
        both = new if self._kept is None else tuple(map(torch.cat, zip(self._kept, new, strict=True)))
        best = torch.topk(both[0], min(self.n_wanted, len(both[0]))).indices
        self._kept = tuple(part[best] for part in both)

    def state(self) -> dict[str, Any]:
        """What the next draw needs, for `restore`; not changed by what comes."""
        kept = None if self._kept is None else tuple(part.cpu() for part in self._kept)
        rng = self._rng.bit_generator.state
        return {"kept": kept, "largest": self._largest, "log_total": float(self._log_total), "rng": rng}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`, of a run with the same seed."""
        if state["kept"] is not None:
            self._kept = tuple(part.to(self._generator.device) for part in state["kept"])
            self._dtype = self._kept[1].dtype
        self._largest, self._log_total = state["largest"], state["log_total"]
        self._rng.bit_generator.state = state["rng"]

    def unseen(
        self,
        model: AbstractEDGModel,
        n_steps: int,
        witnesses: Tensor | None = None,
        *,
        annealed: bool = False,
        chains: ShortChains | None = None,
    ) -> dict[str, float]:
        """``n_sent_back``, and ``n_unseen`` of them whose weight is above all those that were added.

        Besides, ``n_unseen_err``, as the states of one chain are not independent, and ``unseen_by_chance``,
        three times the share of the largest weight: what lies above it by chance, in all but 5 per cent.

        Draws are moved by `chains` where there are some. `witnesses`, configurations of the system, are sent
        back too; with `annealed` they are of the system at the start of the ladder, and so are all weights.
        """
        tables = []
        if witnesses is not None:
            tables.append(self._above(model, n_steps, *self._lowered(model, witnesses, annealed))[None])
        if self._kept is not None and len(self._kept[0]):
            _, x, log_density, states = self._kept
            if chains is None:
                tables.append(self._above(model, n_steps, x, log_density)[None])
            else:
                rows = (self._lowered(model, moved, annealed) for moved in chains(states))
                tables.append(torch.stack([self._above(model, n_steps, *row) for row in rows]))
        if not tables:
            return {"n_sent_back": 0, "n_unseen": 0}
        found = [_counted(table) for table in tables]
        worst = max(found, key=lambda one: (one["n_unseen"] - 2.0 * one["n_unseen_err"]) / one["n_sent_back"])
        return worst | {"unseen_by_chance": 3.0 * float(np.exp(self._largest - self._log_total))}

    def _lowered(self, model: AbstractEDGModel, states: Tensor, annealed: bool) -> tuple[Tensor, Tensor]:
        """Variables of the model, and log-densities, of states moved by a symmetry each."""
        target = model.target
        lower = target.lower_start if annealed else target.lower
        system = target.training_system if annealed else target.system
        moved = system.random_symmetry(states.double(), self._generator)
        return lower(moved.to(states.dtype if annealed else self._dtype), self._generator)

    def _above(self, model: AbstractEDGModel, n_steps: int, x: Tensor, log_density: Tensor) -> Tensor:
        """Whether weights lie above all that were added, shape (n_batch,)."""
        log_w = reverse_log_weights(model, x.to(self._dtype), log_density, n_steps, self._generator)
        return log_w > self._largest + _MARGIN


def _counted(above: Tensor) -> dict[str, float]:
    """Numbers of all that is true in a table of (n_states, n_chains), with an error from chain to chain."""
    shares, n = above.double().mean(0), above.numel()
    err = float(shares.std(correction=0)) / len(shares) ** 0.5
    return {"n_sent_back": n, "n_unseen": int(above.sum()), "n_unseen_err": n * err}
