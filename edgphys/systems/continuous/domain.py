# SPDX-License-Identifier: MIT
r"""Circles, intervals and half lines as folded lines, and shares that keep the integral over the line right.

Every coordinate x of a domain is the image of a real number u under a fold, which keeps lengths:

    circle [a, b), L = b - a     x = a + (u - a) mod L                 images x + k L
    interval [a, b]              x = b - |(u - a) mod 2L - L|          images x + 2k L, 2a - x + 2k L
    half line [a, inf)           x = a + |u - a|                       images x, 2a - x
    half line (-inf, b]          x = b - |b - u|                       images x, 2b - x

*Markov chains* move u, without a bound, by the energy E(fold(u)): seen on x they wrap on a circle and are
reflected at an end. Proposals by differences and gradients look the same from every image, so that x is a
Markov chain of its own, with the detailed balance of exp(-E/T) on the domain.

*A generator* needs a density on the line. Each point is shared among its images by

    share(u) = sigma((u - a) / s) - sigma((u - b) / s),     sigma(v) = 1 / (1 + e^-v),

where a or b may be infinite. The shares of all images of a point add up to 1:

a telescoping sum for the circle, and by share(a + b - u) = share(u) the same sum for the interval; for the
half line sigma(v) + sigma(-v) = 1. Hence

    U(u) = E(fold(u)) / T - sum_i log share_i(u_i),     int exp(-U) du = int_domain exp(-E/T) dx = Z,

exactly and with |dx/du| = 1, whatever s > 0: the width of the system, or an eighth of L if that is less.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import wrong
from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentValueError
from edgphys.systems.continuous.domain_kernels import ABOVE, BELOW, CIRCLE, INTERVAL, LINE

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["Domain"]

_TURN = (-math.pi, math.pi)
_ALLOWED = '"torus", or one for all or for each of {} of "line", "circle", ("circle", low, high), (low, high)'
_SOFTEST = 0.125


@final
class Domain:
    """Where each coordinate lives.

    Parameters
    ----------
    domain : str, tuple, sequence of these, or None
        "line", "circle" (an angle in [-pi, pi)), ("circle", low, high), or (low, high), of which one or both
        may be infinite: one for all coordinates, or one for each. "torus": all angles. None: all lines.
    n_dims : int
    width : float
        Length over which the density varies.

    Attributes
    ----------
    kinds : int64 array, shape (n_dims,)
        Codes of `edgphys.systems.continuous.domain_kernels`.
    ends : float64 array, shape (n_dims, 2)
        a and b; infinite where there is none.

    Raises
    ------
    ArgumentValueError
        If `domain` is none of these, of another length, or low < high does not hold.

    Examples
    --------
    >>> domain = Domain(["circle", (0.0, math.inf)], 2, 1.0)
    >>> domain.fold(torch.tensor([[4.0, -2.0]], dtype=torch.float64)).round(decimals=3)
    tensor([[-2.2830,  2.0000]], dtype=torch.float64)
    """

    def __init__(self, domain: Any, n_dims: int, width: float) -> None:
        sides = [_side(one, n_dims, domain) for one in _each(domain, n_dims)]
        self.kinds = np.array([kind for kind, _, _ in sides])
        self.ends = np.array([ends for _, *ends in sides], np.float64)
        with np.errstate(invalid="ignore"):
            self.lengths = self.ends[:, 1] - self.ends[:, 0]
        self._softness = np.minimum(width, _SOFTEST * self.lengths)

    @property
    def is_everywhere(self) -> bool:
        """Whether all coordinates are lines, so that there is nothing to fold."""
        return not self.kinds.any()

    @property
    def is_bounded(self) -> NDArray[np.bool_]:
        """Circles and intervals, shape (n_dims,)."""
        return np.isfinite(self.lengths)

    @property
    def is_half(self) -> NDArray[np.bool_]:
        """Half lines, shape (n_dims,)."""
        return (self.kinds == ABOVE) | (self.kinds == BELOW)

    @property
    def one_ends(self) -> NDArray[np.float64]:
        """The end of each half line, 0 of all else, shape (n_dims,)."""
        end = np.where(self.kinds == BELOW, self.ends[:, 1], self.ends[:, 0])
        return np.where(self.is_half, end, 0.0)

    @property
    def key(self) -> tuple[tuple[int, float, float], ...]:
        """Kind and ends of each coordinate, for compiled energies."""
        return tuple((int(k), float(a), float(b)) for k, (a, b) in zip(self.kinds, self.ends, strict=True))

    def centre(self, width: float) -> NDArray[np.float64]:
        """A point well inside: the middle, a width from the one end, or 0."""
        inward = np.where(self.kinds == BELOW, -width, width)
        with np.errstate(invalid="ignore"):
            middle = np.where(self.is_bounded, self.ends.mean(axis=1), 0.0)
        return np.where(self.is_half, self.one_ends + inward, middle)

    def holds(self, points: NDArray[np.float64]) -> bool:
        """Whether points, shape (n, n_dims), lie in the domain; on a circle all do."""
        inside = (points >= self.ends[:, 0]) & (points <= self.ends[:, 1])
        return bool((inside | (self.kinds == CIRCLE)).all())

    def as_json(self) -> list[dict[str, Any]]:
        """Kind ("line", "circle" or "interval", half lines among these) and ends, of JSON types."""
        names = {LINE: "line", CIRCLE: "circle"}
        return [
            {"kind": names.get(kind, "interval"), "low": low, "high": high} for kind, low, high in self.key
        ]

    def fold(self, u: Tensor) -> Tensor:
        """x, shape of u, (n_batch, n_dims); differentiable."""
        if self.is_everywhere:
            return u
        x = u.clone()
        for kind, of in _FOLDS.items():
            at = torch.from_numpy(np.flatnonzero(self.kinds == kind)).to(u.device)
            if len(at):
                low, high = u.new_tensor(self.ends).T[:, at]
                x[:, at] = of(u[:, at], low, high)
        return x

    def log_share(self, u: Tensor) -> Tensor:
        """Sum over coordinates of log share(u), shape (n_batch,); differentiable."""
        low, high = (u.new_tensor(end) for end in self.ends.T)
        s = u.new_tensor(self._softness)
        rise, fall = (torch.nn.functional.logsigmoid(v) for v in ((u - low) / s, (high - u) / s))
        bounded = self.is_bounded
        whole = np.log1p(-np.exp(-self.lengths[bounded] / self._softness[bounded])).sum()
        return (rise + fall).sum(1) + float(whole)

    def image(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """One of the images of x, each with the probability `share`; x itself without a generator.

        Parameters
        ----------
        x : tensor, shape (n_batch, n_dims)
            In the domain.
        """
        if generator is None or self.is_everywhere:
            return x
        uniform = torch.rand(x.shape, generator=generator, dtype=torch.float64, device=x.device)
        moved = x.double() - torch.logit(uniform, eps=1e-300) * torch.as_tensor(self._softness).to(x.device)
        out = x.clone()
        for kind, of in _IMAGES.items():
            at = torch.from_numpy(np.flatnonzero(self.kinds == kind)).to(x.device)
            if len(at):
                low, high = x.new_tensor(self.ends).T[:, at]
                out[:, at] = of(x[:, at], moved[:, at].to(x), low, high)
        return out


def _on_interval(u: Tensor, low: Tensor, high: Tensor) -> Tensor:
    length = high - low
    return high - (torch.remainder(u - low, 2.0 * length) - length).abs()


_FOLDS = {
    CIRCLE: lambda u, low, high: low + torch.remainder(u - low, high - low),
    INTERVAL: _on_interval,
    ABOVE: lambda u, low, high: low + (u - low).abs(),
    BELOW: lambda u, low, high: high - (high - u).abs(),
}


def _turns(moved: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """k such that moved + k L lies in [low, high)."""
    return -torch.floor((moved - low) / (high - low))


def _interval_image(x: Tensor, moved: Tensor, low: Tensor, high: Tensor) -> Tensor:
    # share(x + k L) of an odd k is the share of the mirrored image 2 low - x + (1 - k) L.
    k, length = _turns(moved, low, high), high - low
    return torch.where(k % 2 == 0, x + k * length, 2.0 * low - x + (1.0 - k) * length)


_IMAGES = {
    CIRCLE: lambda x, moved, low, high: x + _turns(moved, low, high) * (high - low),
    INTERVAL: _interval_image,
    ABOVE: lambda x, moved, low, high: torch.where(moved > low, x, 2.0 * low - x),
    BELOW: lambda x, moved, low, high: torch.where(moved < high, x, 2.0 * high - x),
}


def _each(domain: Any, n_dims: int) -> list[Any]:
    """What is meant for each coordinate."""
    if domain is None:
        return ["line"] * n_dims
    if isinstance(domain, str):
        return ["circle" if domain == "torus" else domain] * n_dims
    if isinstance(domain, np.ndarray):
        domain = domain.tolist()
    if not isinstance(domain, list | tuple) or not domain:
        raise _wrong(domain, n_dims)
    is_one = domain[0] == "circle" and not all(isinstance(one, str | list | tuple) for one in domain)
    if is_one or not isinstance(domain[0], str | list | tuple):
        return [tuple(domain)] * n_dims
    if len(domain) != n_dims:
        words = f"domain must be one for all or one for each of {n_dims} coordinates"
        raise ArgumentValueError(f"{words}, got {len(domain)}", "domain")
    return list(domain)


def _side(one: Any, n_dims: int, domain: Any) -> tuple[int, float, float]:
    """Kind and ends of one coordinate."""
    if one == "line":
        return LINE, -math.inf, math.inf
    if one == "circle":
        return CIRCLE, *_TURN
    is_circle = isinstance(one, list | tuple) and len(one) == 3 and one[0] == "circle"
    ends = one[1:] if is_circle else one
    if isinstance(ends, str):
        raise _wrong(domain, n_dims)
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError):
        raise _wrong(domain, n_dims) from None
    if not low < high or (is_circle and not math.isfinite(high - low)):
        allowed = "low < high, both finite on a circle" if is_circle else "low < high"
        raise ArgumentValueError(f"domain must have ends {allowed}, got ({low:g}, {high:g})", "domain")
    if is_circle:
        return CIRCLE, low, high
    kinds = {(True, True): LINE, (False, True): ABOVE, (True, False): BELOW, (False, False): INTERVAL}
    return kinds[low == -math.inf, high == math.inf], low, high


def _wrong(domain: Any, n_dims: int) -> Exception:
    return wrong(ArgumentValueError, "domain", _ALLOWED.format(f"{n_dims} coordinates"), domain)
