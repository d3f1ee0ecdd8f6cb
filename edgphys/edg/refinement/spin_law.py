# SPDX-License-Identifier: MIT
"""The law of one spin given what is known: p(s) = exp(s a) / 2 cosh a, with one coefficient a.

The same form is learned, with a from a network (odd without a field), and exact, with a = beta (J sum of the
neighbours + h), the heat bath.
"""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from edgphys.edg.refinement.law import AbstractVectorLaw, spread
from edgphys.systems.lattice.ising import log_2cosh

__all__ = ["SpinLaw"]


@final
class SpinLaw(AbstractVectorLaw):
    """Spins of one system; see the module docstring.

    Parameters
    ----------
    reduced_coupling, reduced_field : float
        beta J and beta h.
    with_field : bool, optional
        Whether the coefficient has an even part; default: if there is a field.
    ghost : float
        Field over coupling, where fields differ from site to site: as if each spin had one more neighbour,
        which is up, joined by the weight of its field.

    Examples
    --------
    >>> law = SpinLaw(0.5, 0.0)
    >>> odd = torch.zeros(1, 1, 1, dtype=torch.float64)
    >>> round(float(law.log_prob(torch.ones(1, 1, dtype=torch.float64), odd, odd[..., :0])), 6)
    -0.693147
    """

    scale: ClassVar[float] = 1.0
    n_components: ClassVar[int] = 1  # pyright: ignore[reportIncompatibleVariableOverride]
    by_coupling: ClassVar[tuple[str, ...]] = ("pair", "bias", "ghost")
    grid: Tensor

    def __init__(
        self,
        reduced_coupling: float,
        reduced_field: float,
        with_field: bool | None = None,
        *,
        ghost: float = 0.0,
    ) -> None:
        super().__init__()
        self.pair, self.bias, self.ghost = float(reduced_coupling), float(reduced_field), float(ghost)
        self.n_odd, self.n_even = 1, int(self.bias != 0.0 if with_field is None else with_field)
        self.register_buffer("grid", torch.tensor([-1.0, 1.0], dtype=torch.float64), persistent=False)

    def log_prob(self, x: Tensor, odd: Tensor, even: Tensor) -> Tensor:
        """-log(1 + exp(-2 s a))."""
        return _log_prob(x, self._coefficient(odd.to(x.dtype), even.to(x.dtype)))

    def draw(self, odd: Tensor, even: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Spins and their log-probability."""
        a = self._coefficient(odd, even)
        spins = _spins(a, generator)
        return spins, _log_prob(spins, a)

    def moments(self, x: Tensor) -> Tensor:
        """s itself."""
        return x[..., None]

    def mean_log_prob(self, moments: Tensor, odd: Tensor, even: Tensor) -> Tensor:
        """a <s> - log 2 cosh a."""
        a = self._coefficient(odd, even)
        return a * moments[..., 0].to(a) - log_2cosh(a)

    def local(self, x: Tensor) -> Tensor:
        """beta h s."""
        return spread(self.bias, x) * x

    def log_normaliser(self, neighbour_sum: Tensor) -> Tensor:
        """log 2 cosh."""
        return log_2cosh(self._given(neighbour_sum))

    def draw_exact(self, neighbour_sum: Tensor, generator: torch.Generator) -> Tensor:
        """The heat bath."""
        return _spins(self._given(neighbour_sum), generator)

    def vector(self, x: Tensor) -> Tensor:
        """s itself, shape (1, ...)."""
        return x[None]

    def seen_field(self, field: Tensor) -> Tensor:
        return field[0].float()

    def in_field(self, coefficients, field, shift):
        odd, even = coefficients
        return odd + field[0][..., None], even.to(field)

    def _given(self, neighbour_sum: Tensor) -> Tensor:
        return spread(self.pair, neighbour_sum) * neighbour_sum + spread(self.bias, neighbour_sum)

    def _coefficient(self, odd: Tensor, even: Tensor) -> Tensor:
        return odd[..., 0] + even.sum(-1) + spread(self.bias, odd[..., 0])


def _log_prob(spins: Tensor, coefficient: Tensor) -> Tensor:
    return -nn.functional.softplus(-2.0 * spins * coefficient, threshold=40.0)


def _spins(coefficient: Tensor, generator: torch.Generator) -> Tensor:
    # float64: the uniforms of float32 come in steps of 2^-24, too coarse for rare spins.
    like = {"generator": generator, "dtype": torch.float64, "device": coefficient.device}
    up = torch.rand(coefficient.shape, **like) < torch.sigmoid(2.0 * coefficient.detach().double())
    return 2.0 * up.to(coefficient.dtype) - 1.0
