# SPDX-License-Identifier: MIT
r"""Data collapse: the critical coupling and exponents under which all sizes lie on one smooth function.

    A(c, L) = L^x f((c - c_*) L^(1/nu)),     x = gamma/nu for the susceptibility, -beta/nu for |m|, 0 for U_4

f is whatever smooth function the data have: a Gaussian process, whose likelihood says how probable the scaled
values are. All parameters are its maximum; errors are those of the values (resampled and fitted again).

Source: K. Harada, Phys. Rev. E 84, 056704 (2011), equations (5) to (8).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.optimize import minimize

from edgphys import _checks
from edgphys.dataset.schema import SCHEMA_VERSION
from edgphys.errors import ArgumentValueError
from edgphys.recording.record import recorded
from edgphys.scaling import gaussian_process as gp
from edgphys.scaling.sizes import Size, read_sizes

__all__ = ["collapse"]

_LEAST_SHARED = 4  # points of the larger of two neighbouring sizes within the range of the smaller
_LARGE = 3.0  # of chi2_per_point: far beyond what the errors of the values give

_WORDS = {
    "critical_coupling": "c_* in A = L^exponent f((c - c_*) L^(1/nu)), in units of the coupling",
    "nu": "exponent of the correlation length",
    "exponent": "x in A = L^x f((c - c_*) L^(1/nu)): gamma/nu of the susceptibility, -beta/nu of |m|",
    "chi2_per_point": "mean square of the deviations from the common function, in standard errors",
    "x": "(c - c_*) L^(1/nu)",
    "y": "quantity L^-exponent",
    "y_err": "one standard error of y",
    "length": "linear size of each point",
}


@recorded("scaling.collapse")
def collapse(
    tables: xr.Dataset | Iterable[xr.Dataset],
    quantity: str = "binder_cumulant",
    *,
    method: str | None = None,
    critical_coupling: float | None = None,
    nu: float | None = None,
    exponent: float | None = None,
    n_resamples: int = 50,
    seed: int = 0,
) -> xr.Dataset:
    """Critical coupling and exponents from the curves of several sizes.

    Parameters
    ----------
    tables : Dataset or iterable of Dataset
        One scan with the dim ``extent``, or scans and curves over one coupling, each of one linear size.
        Values far from the critical coupling, and small sizes, do not obey the law: leave them out.
    quantity : str
        ``"binder_cumulant"``, ``"susceptibility"``, ``"abs_magnetization"``, ...
    method : str, optional
        Of scans with several methods.
    critical_coupling, nu, exponent : float, optional
        Held at this value; fitted where None.
    n_resamples : int
        Copies of the values within their errors, fitted again for the errors of the parameters.
    seed : int
        Of the copies.

    Returns
    -------
    Dataset
        ``critical_coupling``, ``nu``, ``exponent`` with errors (zero where held), ``chi2_per_point``; over
        the dim ``point`` the scaled ``x``, ``y``, ``y_err`` and ``length``. ``warning``: why not to trust it.

    Raises
    ------
    DatasetError, ArgumentValueError
        If the tables are of another kind, over several couplings, or of fewer than two sizes.
    """
    n_resamples, seed = _checks.count(n_resamples, "n_resamples", 2), _checks.seed(seed)
    held = {"critical_coupling": critical_coupling, "nu": nu, "exponent": exponent}
    for name, value in held.items():
        if value is not None:
            held[name] = _checks.number(value, name, **({"above": 0.0} if name == "nu" else {}))
    if None not in held.values():
        raise ArgumentValueError("nu must be None where all else is held: there is nothing to fit", "nu")
    sizes = read_sizes(tables, quantity, method)
    fit = _Fit(sizes, held)
    best = fit.best(sizes, fit.starts(sizes))
    rng = np.random.default_rng(seed)
    copies = [
        fit.best([size.resampled(rng) for size in sizes], [best]).parameters for _ in range(n_resamples)
    ]
    errors = dict(zip(held, np.std(copies, axis=0, ddof=1), strict=True))
    return _dataset(sizes, best, errors, {"quantity": quantity, "method": method or "", "seed": seed})


@dataclass(frozen=True)
class _Found:
    """Where the likelihood has its maximum.

    Attributes
    ----------
    parameters : tuple of float
        Critical coupling, nu, exponent.
    kernel : array
        Logarithms of amplitude, length and roughness of the common function.
    loss : float
        Minus the log-likelihood.
    """

    parameters: tuple[float, float, float]
    kernel: NDArray
    loss: float


class _Fit:
    """The likelihood of scaled values as a function of what is not held."""

    def __init__(self, sizes: list[Size], held: dict[str, float | None]) -> None:
        self._held = held
        self._free = [name for name, value in held.items() if value is None]
        couplings = np.concatenate([size.couplings for size in sizes])
        self._low, self._high = float(couplings.min()), float(couplings.max())
        self._unit = math.exp(np.mean(np.log([size.length for size in sizes])))  # a length between all

    def starts(self, sizes: list[Size]) -> list[_Found]:
        """Critical couplings over the inner half of the range, with the power of L that values have there."""
        quarter = 0.25 * (self._high - self._low)
        places = np.linspace(self._low + quarter, self._high - quarter, 5).tolist()
        return [_Found((place, 1.0, _power(sizes, place)), np.array(gp.START), math.inf) for place in places]

    def best(self, sizes: list[Size], starts: list[_Found]) -> _Found:
        """The best of the maxima that are found from some starts."""
        return min((self._from(sizes, start) for start in starts), key=lambda found: found.loss)

    def _from(self, sizes: list[Size], start: _Found) -> _Found:
        at_start = dict(zip(self._held, start.parameters, strict=True))
        bounds = {
            "critical_coupling": (self._low, self._high),
            "nu": (0.1, 10.0),
            "exponent": (-10.0, 10.0),
        }
        scale = {"critical_coupling": 0.1 * (self._high - self._low), "nu": 0.5, "exponent": 0.5}
        steps = np.array([scale[name] for name in self._free] + [1.0] * 3)
        first = np.concatenate([[at_start[name] for name in self._free], start.kernel]) / steps
        limits = np.array([bounds[name] for name in self._free] + list(gp.BOUNDS)) / steps[:, None]

        def loss(moved: NDArray) -> float:
            found = -self._likelihood(sizes, *self._split(moved * steps))
            return found if math.isfinite(found) else 1e12

        result = minimize(loss, first, method="L-BFGS-B", bounds=limits)
        parameters, logs = self._split(result.x * steps)
        return _Found(parameters, logs, float(result.fun))

    def _split(self, values: NDArray) -> tuple[tuple[float, float, float], NDArray]:
        free = dict(zip(self._free, values.tolist(), strict=False))
        merged = [free.get(name, value) for name, value in self._held.items()]
        return tuple(merged), values[len(self._free) :]  # pyright: ignore[reportReturnType]

    def _likelihood(self, sizes: list[Size], parameters: tuple[float, float, float], logs: NDArray) -> float:
        """Of the values themselves: scaling them changes the density by the factors."""
        x, y, noise, factors = scaled(sizes, parameters, self._unit)
        if not _overlap(sizes, x):
            return -math.inf
        spread = y.std() or 1.0
        likelihood = gp.log_likelihood(*_of_order_one(x, y, noise), gp.Kernel.of_logs(logs))
        return likelihood + np.log(factors).sum() - len(y) * math.log(spread)


def scaled(
    sizes: list[Size], parameters: tuple[float, float, float], unit: float
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Scaled places and values, the covariance of these, and each factor; lengths in units of `unit`."""
    center, nu, exponent = parameters
    lengths = [size.length / unit for size in sizes]
    pairs = list(zip(sizes, lengths, strict=True))
    x = np.concatenate([(size.couplings - center) * length ** (1.0 / nu) for size, length in pairs])
    factors = [length**-exponent for length in lengths]
    y = np.concatenate([size.values * factor for size, factor in zip(sizes, factors, strict=True)])
    noise = block_diag(*(size.covariance * f**2 for size, f in zip(sizes, factors, strict=True)))
    return x, y, noise, np.repeat(factors, [len(size.values) for size in sizes])


def _power(sizes: list[Size], coupling: float) -> float:
    """Exponent of L in the values at one coupling; 0 where they change sign."""
    values = np.array([np.interp(coupling, size.couplings, size.values) for size in sizes])
    if not (values > 0.0).all():
        return 0.0
    return float(np.polyfit(np.log([size.length for size in sizes]), np.log(values), 1)[0])


def _overlap(sizes: list[Size], x: NDArray) -> bool:
    """Whether sizes share the function at all: any function passes through points that lie side by side."""
    ends = np.cumsum([len(size.couplings) for size in sizes])[:-1]
    return all(
        np.count_nonzero((larger > smaller[0]) & (larger < smaller[-1])) >= _LEAST_SHARED
        for smaller, larger in pairwise(np.split(x, ends))
    )


def _of_order_one(x: NDArray, y: NDArray, noise: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Places, values and their covariance, as the bounds of the kernel have them."""
    spread = y.std() or 1.0
    return (x - x.mean()) / (0.25 * np.ptp(x)), (y - y.mean()) / spread, noise / spread**2


def _dataset(sizes: list[Size], best: _Found, errors: dict[str, float], about: dict[str, Any]) -> xr.Dataset:
    x, y, noise, _ = scaled(sizes, best.parameters, 1.0)
    numbers: dict[str, float] = {}
    for name, value in zip(errors, best.parameters, strict=True):
        numbers |= {name: value, f"{name}_err": errors[name]}
    numbers["chi2_per_point"] = _chi2_per_point(x, y, noise, gp.Kernel.of_logs(best.kernel))
    lengths = np.repeat([size.length for size in sizes], [len(size.values) for size in sizes])
    points = {"x": x, "y": y, "y_err": np.sqrt(np.diag(noise)), "length": lengths}
    words = _WORDS | {
        f"{name}_err": f"one standard error of {name}, from resampled values" for name in errors
    }
    variables = {
        name: ((), np.float64(value), {"definition": words[name]}) for name, value in numbers.items()
    }
    variables |= {name: ("point", data, {"definition": words[name]}) for name, data in points.items()}
    about = {"schema_version": SCHEMA_VERSION, "kind": "collapse", **about, "definitions": json.dumps(words)}
    return xr.Dataset(variables, attrs=about | {"warning": _warning(sizes, numbers)})


def _chi2_per_point(x: NDArray, y: NDArray, noise: NDArray, kernel: gp.Kernel) -> float:
    """Mean square of the distances from the smooth function, in units of the errors of the values."""
    x, y, noise = _of_order_one(x, y, noise)
    away = y - gp.smooth(x, y, noise, kernel, x)
    return float(np.mean(away**2 / np.maximum(np.diag(noise), np.finfo(float).tiny)))


def _warning(sizes: list[Size], numbers: dict[str, float]) -> str:
    """Why not to trust the parameters; empty if they are to be trusted."""
    reasons = []
    inside = all(size.couplings[0] < numbers["critical_coupling"] < size.couplings[-1] for size in sizes)
    if not inside:
        reasons.append("the critical coupling lies at or beyond the end of the couplings of some size")
    if numbers["chi2_per_point"] > _LARGE:
        root = math.sqrt(numbers["chi2_per_point"])
        reasons.append(
            f"values are {root:.2g} errors from one function (root mean square): "
            "leave out small sizes or couplings far from the critical one"
        )
    return "; ".join(reasons)
