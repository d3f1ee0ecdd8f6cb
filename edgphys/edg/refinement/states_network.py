# SPDX-License-Identifier: MIT
r"""The network behind a law of q states: one function for all states that the energy does not tell apart.

A hidden layer holds a number for each hidden unit and each state k, and a matrix between two layers depends
on the kind of the pair of states only,

    out_k = b_[kk] + sum_l W_[kl] in_l ,     in_l of the window: 1(s_j = l) - 1/q of all known sites j ,

so that a permutation of states which leaves the energy alone permutes the logits. Kinds [kl] are those of
`kinds_of_pairs`: two for Potts (the same state, another one), about q/2 for a clock (by the angle between
them), five for Blume-Capel, q^2 where nothing is alike. The number of weights of Potts does not depend on q.

    h = t(in -> W1),   h = t(h -> W2),   logits = (h -> W3) + (in -> A),   t(u) = 1 / (1 + exp(-u)) - 1/2 .

W3, A and all b start at zero; bumps of a condition act as in `OddEvenNetwork`.
"""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgphys.edg.refinement.network import BIAS_GAIN, AbstractNetwork

__all__ = ["StatesNetwork", "kinds_of_pairs"]


def kinds_of_pairs(bonds: NDArray[np.float64], sites: NDArray[np.float64]) -> NDArray[np.int64]:
    """Kinds of ordered pairs of states, contiguous from 0, shape (q, q).

    The coarsest that tell apart pairs of other energies, and pairs between which other chains of two pairs
    lie (Weisfeiler-Leman in two dimensions): never finer than the orbits of the permutations that leave the
    tables alone.

    Examples
    --------
    >>> kinds_of_pairs(-np.eye(3), np.zeros(3)).tolist()
    [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    """
    q = len(sites)
    # Energies that differ by rounding, as those of angles do, are one.
    size = max(float(np.abs(bonds).max()), float(np.abs(sites).max()), 1e-300)
    energies, own = np.round(bonds / size, 12), np.broadcast_to(np.round(sites / size, 12), (q, q))
    features = np.stack([energies, own.T, own, np.eye(q)], axis=-1).reshape(q * q, -1)
    while True:
        _, kinds = np.unique(features, axis=0, return_inverse=True)
        kinds = kinds.reshape(q, q)
        n_kinds = int(kinds.max()) + 1
        by_way = kinds[:, None, :] * n_kinds + kinds.T[None, :, :]
        features = np.concatenate([kinds[..., None], np.sort(by_way, axis=-1)], axis=-1).reshape(q * q, -1)
        if len(np.unique(features, axis=0)) == n_kinds:
            return kinds


@final
class StatesNetwork(AbstractNetwork):
    """Logits of q states; see the module docstring.

    Parameters
    ----------
    n_inputs, n_edges, width, generator, n_stacked, n_bumps
        As in `OddEvenNetwork`; hidden units are those of each state.
    kinds : int64 array, shape (q, q)
        Of the pairs of states.
    """

    kinds: Tensor
    own: Tensor

    def __init__(
        self,
        n_inputs: int,
        n_edges: int,
        kinds: NDArray[np.int64],
        width: int,
        generator: torch.Generator,
        *,
        n_stacked: int | None = None,
        n_bumps: int = 0,
    ) -> None:
        super().__init__()
        self.n_bumps, self.q, n_kinds = n_bumps, len(kinds), int(kinds.max()) + 1
        self.register_buffer("kinds", torch.from_numpy(kinds), persistent=False)
        _, own = np.unique(np.diagonal(kinds), return_inverse=True)
        self.register_buffer("own", torch.from_numpy(own), persistent=False)
        # The kind of most pairs; the others with the pairs that they hold, None for that of equal states.
        # Empty where one dense matrix is cheaper.
        self.rest = int(np.bincount(kinds.ravel()).argmax())
        others = [k for k in range(n_kinds) if k != self.rest] if n_kinds <= self.q else []
        pairs = {k: torch.from_numpy((kinds == k).astype(np.float32)) for k in others}
        self.shared = {k: None if torch.equal(one, torch.eye(self.q)) else one for k, one in pairs.items()}
        stack, n_own = () if n_stacked is None else (n_stacked,), int(own.max()) + 1

        def normal(n_in: int, n_out: int, size: float) -> nn.Parameter:
            values = torch.randn(*stack, n_kinds, n_in, n_out, generator=generator)
            return nn.Parameter(values * size / max(n_in, 1) ** 0.5)

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*stack, *shape))

        # Indicators have the size 1/2 at most.
        self.first, self.edge = normal(n_inputs, width, 4.0), zeros(n_edges, width)
        self.second, self.third = normal(width, width, 4.0), zeros(n_kinds, width, 1)
        self.first_bias, self.second_bias = zeros(n_own, width), zeros(n_own, width)
        self.linear = zeros(n_kinds, n_inputs, max(n_bumps, 1))
        self.bias = zeros(n_own, max(n_bumps, 1))
        self.modulation = zeros(n_bumps, 2 * width) if n_bumps else None

    def _evaluate(
        self, weights: dict[str, Tensor], window: Tensor, edges: Tensor | None, bump: Tensor | None
    ) -> tuple[Tensor]:
        """Logits, shape (..., q)."""
        # The states run along the first dimension, behind that of a stack.
        axis = 1 if weights["edge"].dim() == 3 else 0
        signal = self._mixed(window, weights["first"], axis, centred=True)
        signal = signal + self._of_state(weights["first_bias"], window)
        if edges is not None:
            signal = signal * (1.0 + edges @ weights["edge"])
        linear = self._mixed(window, weights["linear"], axis, centred=True)
        linear = linear + BIAS_GAIN * self._of_state(weights["bias"], window)
        second = 1.0
        if bump is not None:
            scales = (bump @ weights["modulation"]).chunk(2, dim=-1)
            first, second = (1.0 + one.unsqueeze(axis) for one in scales)
            signal, linear = signal * first, (linear * bump.unsqueeze(0)).sum(-1, keepdim=True)
        h = torch.sigmoid(signal) - 0.5
        inner = second * self._mixed(h, weights["second"], axis)
        h = torch.sigmoid(inner + self._of_state(weights["second_bias"], window)) - 0.5
        logits = self._mixed(h, weights["third"], axis) + linear
        return (logits[..., 0].movedim(axis, -1),)

    def _of_state(self, weight: Tensor, like: Tensor) -> Tensor:
        """Biases as they are added to layers of the shape of `like`, but for the last dimension."""
        weight = weight.index_select(-2, self.own)
        n_between = like.dim() - weight.dim()
        return weight.reshape(*weight.shape[:-1], *[1] * n_between, weight.shape[-1])

    def _mixed(self, h: Tensor, weight: Tensor, axis: int, *, centred: bool = False) -> Tensor:
        """sum_l W_[kl] h_l, shape (.., q, ..., n_in) -> (.., q, ..., n_out); `centred` if sum_l h_l = 0."""
        if not self.shared:
            full = weight.index_select(-3, self.kinds.reshape(-1)).unflatten(-3, (self.q, self.q))
            full = full.movedim(-4, -2).flatten(-2).flatten(-3, -2)  # (.., l and n_in, k and n_out)
            mixed = h.movedim(axis, -2).flatten(-2) @ full
            return mixed.unflatten(-1, (self.q, weight.shape[-1])).movedim(-2, axis)
        # One kind is that of all pairs less the others.
        by_kind = (weight if axis == 0 else weight.unsqueeze(1)).unbind(-3)
        rest = by_kind[self.rest]
        mixed = h.new_zeros(()) if centred else h.sum(axis, keepdim=True) @ rest
        for k, pairs in self.shared.items():
            moved = h if pairs is None else (pairs.to(h) @ h.flatten(axis + 1)).reshape(h.shape)
            mixed = mixed + moved @ (by_kind[k] - rest)
        return mixed
