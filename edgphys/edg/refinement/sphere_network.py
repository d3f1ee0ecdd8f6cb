# SPDX-License-Identifier: MIT
r"""The network behind a law of unit vectors in space: fields that rotate and reflect with the window.

The window is a list of vectors w_j, 0 where a site is missing. A few learned sums of them are channels, whose
scalar products are all that two hidden layers of sigmoids see,

    v_a = sum_j A_ja w_j ,      g_ab = v_a . v_b ,      h_k = sum_j L_jk w_j + sum_a f_ka(g) v_a ,

and h_k are the fields of the components of a law, c_k(g) the logarithms of their shares. For every orthogonal
matrix R, h_k(R w) = R h_k(w) and c_k(R w) = c_k(w). L and c start at zero, f close to it: components that
were alike would stay so. A field is one more vector. Bumps of a condition act as in `OddEvenNetwork`.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.refinement.network import AbstractNetwork

__all__ = ["SphereNetwork"]

_N_CHANNELS = 8
# Size of f at the start.
_SMALL = 0.1


@final
class SphereNetwork(AbstractNetwork):
    """Fields and shares of a law of unit vectors; see the module docstring.

    Parameters
    ----------
    n_inputs, n_edges, width, generator, n_stacked, n_bumps
        As in `OddEvenNetwork`.
    n_fields : int
        Components of the law.
    with_field : bool
        Whether the third axis is singled out.
    """

    by_input = ("channels", "linear")

    def __init__(
        self,
        n_inputs: int,
        n_edges: int,
        n_fields: int,
        width: int,
        generator: torch.Generator,
        *,
        with_field: bool = False,
        n_stacked: int | None = None,
        n_bumps: int = 0,
    ) -> None:
        super().__init__()
        self.n_bumps, self.n_fields, self.n_before = n_bumps, n_fields, int(with_field)
        stack, n_inputs = () if n_stacked is None else (n_stacked,), n_inputs + self.n_before
        first, second = torch.triu_indices(_N_CHANNELS, _N_CHANNELS)
        self.register_buffer("first_of_pair", first, persistent=False)
        self.register_buffer("second_of_pair", second, persistent=False)

        def normal(n_in: int, n_out: int, size: float) -> nn.Parameter:
            values = torch.randn(*stack, n_in, n_out, generator=generator)
            return nn.Parameter(values * size / max(n_in, 1) ** 0.5)

        def zeros(n_in: int, n_out: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*stack, n_in, n_out))

        self.channels = normal(n_inputs, _N_CHANNELS, 1.0)
        self.first, self.edge = normal(len(first), width, 2.0), zeros(n_edges, width)
        self.second, self.third = normal(width, width, 4.0), normal(width, n_fields * _N_CHANNELS, _SMALL)
        self.first_bias, self.second_bias = zeros(1, width), zeros(1, width)
        self.linear = zeros(n_inputs, n_fields * max(n_bumps, 1))
        self.share, self.share_bias = zeros(width, n_fields), zeros(1, n_fields)
        self.modulation = zeros(n_bumps, 2 * width) if n_bumps else None

    def _evaluate(
        self, weights: dict[str, Tensor], window: Tensor, edges: Tensor | None, bump: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Fields, shape (..., n_fields, 3), and logarithms of shares, (..., n_fields)."""
        is_stack = weights["edge"].dim() == 3
        # The components first, before the dimension of a stack.
        window = self._complete(window.movedim(int(is_stack), 0))
        v, linear = window @ weights["channels"], window @ weights["linear"]
        pairs = (self.get_buffer(f"{name}_of_pair") for name in ("first", "second"))
        one, other = (v.index_select(-1, which) for which in pairs)
        signal = (one * other).sum(0) @ weights["first"] + weights["first_bias"]
        if edges is not None:
            signal = signal * (1.0 + edges @ weights["edge"])
        second = 1.0
        if bump is not None:
            first, second = (1.0 + bump @ weights["modulation"]).chunk(2, dim=-1)
            signal = signal * first
            linear = (linear.unflatten(-1, (self.n_fields, self.n_bumps)) * bump[..., None, :]).sum(-1)
        h = torch.sigmoid(signal) - 0.5
        h = torch.sigmoid(second * (h @ weights["second"]) + weights["second_bias"]) - 0.5
        gains = (h @ weights["third"]).unflatten(-1, (self.n_fields, -1))
        fields = torch.einsum("...ka,c...a->...kc", gains, v) + linear.movedim(0, -1)
        return fields, h @ weights["share"] + weights["share_bias"]

    def _complete(self, window: Tensor) -> Tensor:
        """With the direction of the field before all others."""
        if not self.n_before:
            return window
        axis = window.new_zeros(*window.shape[:-1], 1)
        axis[2] = 1.0
        return torch.cat([axis, window], dim=-1)
