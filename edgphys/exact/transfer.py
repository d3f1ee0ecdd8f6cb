# SPDX-License-Identifier: MIT
r"""Exact results by transfer operators: the Ising ring, the phi^4 ring, and small phi^4 tori.

    Ising   H = -J sum_i s_i s_{i+1} - h sum_i s_i,                                           k_B = 1
    phi^4   S = -2 hop sum_<ij> phi_i phi_j + sum_i (quadratic phi_i^2 + quartic phi_i^4),    weight exp(-S)

where for phi^4 beta = 1 and the energy is S.
All are periodic; at extent 2 the two bonds between a pair of sites both count. For phi^4 a rescaling of the
field turns moments of the action into moments of ``Q = sum_i phi_i^4``: with g = quartic,

    <S> = N/2 - g <Q>,      Var S = N/2 - 2 g <Q> + g^2 Var Q.

Every phi^4 result carries ``accuracy``: the largest relative change of any other entry between the last two
resolutions, an estimate (usually far too large) of the error of the better one, which is returned.
"""

from __future__ import annotations

import math

import numpy as np
import scipy

from edgphys._checks import count, finite, positive
from edgphys.errors import NotExactError
from edgphys.exact.matrix_series import series_power
from edgphys.exact.quadrature import field_grid
from edgphys.exact.ratios import (
    binder_cumulant,
    hypercubic_momenta,
    second_moment_length,
)
from edgphys.exact.tensor_rows import RowNetwork

__all__ = ["ising_chain", "phi4_chain", "phi4_torus"]

_MAX_RING = 4096
_MAX_FIELD_RING = 65536
_MAX_NODES = 2048
# States of one row: rank^width; above this a product of row matrices takes many seconds.
_MAX_ROW_STATES = 4096


def ising_chain(n: int, temperature: float, coupling: float = 1.0, field: float = 0.0) -> dict[str, float]:
    """All estimates of the Ising ring of n spins.

    States are counted by their number of up spins u and of clusters d: ``(n / d) C(u-1, d-1) C(n-u-1, d-1)``
    states have energy ``-J (n - 4 d) - h (2 u - n)``. Only positive terms are added, at any temperature and
    sign of J.

    Parameters
    ----------
    n : int
        From 2 to 4096.
    temperature : float
        Positive.
    coupling, field : float
        J and h, of either sign.

    Returns
    -------
    dict of float
        Names as in `edgphys.exact.enumeration.ising`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    References
    ----------
    E. Ising, Z. Phys. 31, 253 (1925), doi:10.1007/BF02980577.

    Examples
    --------
    >>> exact = ising_chain(10, temperature=1.0)
    >>> abs(exact["log_z"] - math.log((2 * math.cosh(1)) ** 10 + (2 * math.sinh(1)) ** 10)) < 1e-12
    True
    """
    n = count(n, "n", 2, _MAX_RING)
    temperature = positive(temperature, "temperature")
    coupling, field = finite(coupling, "coupling"), finite(field, "field")
    up, clusters, log_states = _ring_states(n)
    energy = -coupling * (n - 4.0 * clusters) - field * (2.0 * up - n)
    log_weight = log_states - energy / temperature
    log_z = float(scipy.special.logsumexp(log_weight))
    p, m = np.exp(log_weight - log_z), (2.0 * up - n) / n
    p /= p.sum()
    mean_energy, mean_m = float((p * energy).sum()), float((p * m).sum()) if field else 0.0
    zero = n * float((p * (m - mean_m) ** 2).sum())
    minimum = _ising_ring_correlator(n, coupling / temperature, field / temperature)
    return {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": mean_energy,
        "specific_heat": float((p * (energy - mean_energy) ** 2).sum()) / (temperature**2 * n),
        "magnetization": mean_m,
        "abs_magnetization": float((p * np.abs(m)).sum()),
        "susceptibility": zero / temperature,
        "binder_cumulant": binder_cumulant(float((p * m**2).sum()), float((p * m**4).sum())),
        "correlation_length": second_moment_length(zero, [minimum], hypercubic_momenta(n)),
    }


def _ring_states(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Up spins, clusters of up spins and logarithm of the number of states, each of shape (n_classes,)."""
    up, clusters = np.nonzero(
        np.arange(n // 2 + 1)[None, :] <= np.minimum(np.arange(n + 1), n - np.arange(n + 1))[:, None]
    )
    mixed = clusters > 0
    u, d = up[mixed].astype(np.float64), clusters[mixed].astype(np.float64)
    log_states = (
        np.log(n / d)
        + scipy.special.gammaln(u)
        - scipy.special.gammaln(d)
        - scipy.special.gammaln(u - d + 1)
        + scipy.special.gammaln(n - u)
        - scipy.special.gammaln(d)
        - scipy.special.gammaln(n - u - d + 1)
    )
    up = np.concatenate([[0, n], up[mixed]]).astype(np.float64)
    clusters = np.concatenate([[0, 0], clusters[mixed]]).astype(np.float64)
    return up, clusters, np.concatenate([[0.0, 0.0], log_states])


def _ising_ring_correlator(n: int, k: float, h: float) -> float:
    """``<|sum_x s_x e^{2 pi i x / n}|^2> / n`` from the two eigenvalues of the transfer matrix, ratio t."""
    # sinh and cosh of h and e^{-4K} scaled by the larger of e^|h| and e^{-2K}: none overflows.
    scale = max(abs(h), -2.0 * k)
    sine = 0.5 * (math.exp(abs(h) - scale) - math.exp(-abs(h) - scale))
    cosine = 0.5 * (math.exp(abs(h) - scale) + math.exp(-abs(h) - scale))
    off = math.exp(-2.0 * k - scale)
    root = math.hypot(sine, off)
    # cosh^2 - root^2 = 1 - e^{-4K}; from it the ratio and the logarithm of its size, without cancellation.
    gap = -math.expm1(-4.0 * k) * math.exp(-2.0 * scale) if k >= 0 else math.expm1(4.0 * k) * off**2
    ratio = gap / (cosine + root) ** 2
    # 1 - |t|, without cancellation where it is small.
    below = 2.0 * min(root, cosine) / (cosine + root) if abs(ratio) > 0.5 else 1.0 - abs(ratio)
    log_size = math.log1p(-below) if below < 1.0 else -math.inf
    sign_n = -1.0 if ratio < 0 and n % 2 else 1.0
    missing, power = -math.expm1(n * log_size), math.exp(n * log_size)  # 1 - |t|^n and |t|^n
    # (1 - t^n) / (1 + t^n) (1 - t^2) / |1 - t e^{ik}|^2; in an odd ring of t = -1 the first goes to 1 / n.
    if sign_n > 0:
        numerator = missing / (1.0 + power) * below
    else:
        numerator = (1.0 + power) * (below / missing if missing else 1.0 / n)
    wave = complex(math.cos(2.0 * math.pi / n), math.sin(2.0 * math.pi / n))
    # Without a field sine is 0, and so is off where float64 has no e^{-2K}.
    share = (off / root) ** 2 if sine else 1.0
    return share * numerator * (1.0 + abs(ratio)) / abs(1.0 - ratio * wave) ** 2


def _check_phi4(
    hop: float, quadratic: float, quartic: float, n_neighbours: int
) -> tuple[float, float, float]:
    hop, quadratic, quartic = (
        finite(hop, "hop"),
        finite(quadratic, "quadratic"),
        finite(quartic, "quartic"),
    )
    if quartic < 0:
        raise ValueError(f"quartic must not be negative, got {quartic}")
    if quartic == 0 and quadratic <= n_neighbours * abs(hop):
        raise ValueError(
            f"quadratic must exceed {n_neighbours} |hop| when quartic is 0, got {quadratic} with hop {hop}"
        )
    return hop, quadratic, quartic


def phi4_chain(n: int, hop: float, quadratic: float, quartic: float) -> dict[str, float]:
    """All estimates of the phi^4 ring of n sites: transfer operator on a uniform grid of field values.

    Parameters
    ----------
    n : int
        Sites, from 2 to 65536.
    hop, quadratic, quartic : float
        Action of the module docstring; quartic > 0, or zero with ``quadratic > 2 |hop|``.

    Returns
    -------
    dict of float
        ``log_z``, ``free_energy`` (-ln Z), ``energy`` (<S>), ``specific_heat`` (Var S / n), ``magnetization``
        (0), ``susceptibility`` (n <m^2>), ``binder_cumulant``, ``correlation_length``, ``phi2`` and
        ``accuracy``.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, or exp(-S) cannot be normalised.
    NotExactError
        If 2048 grid points do not converge to 1e-8.

    References
    ----------
    D. J. Scalapino, M. Sears and R. A. Ferrell, Phys. Rev. B 6, 3409 (1972), doi:10.1103/PhysRevB.6.3409.

    Examples
    --------
    >>> exact = phi4_chain(16, hop=0.25, quadratic=0.956, quartic=0.022)
    >>> round(exact["log_z"], 8), exact["accuracy"] < 1e-10
    (9.78047914, True)
    """
    n = count(n, "n", 2, _MAX_FIELD_RING)
    hop, quadratic, quartic = _check_phi4(hop, quadratic, quartic, 2)
    n_nodes, previous, accuracy = 96, None, math.inf
    while accuracy > 1e-12 and n_nodes <= _MAX_NODES:
        result = _chain_on_grid(n, hop, quadratic, quartic, n_nodes)
        accuracy = _largest_change(previous, result)
        previous, n_nodes = result, n_nodes * 3 // 2
    if accuracy > 1e-8:
        raise NotExactError(
            f"hop, quadratic, quartic must not need more than {_MAX_NODES} grid points, "
            f"got {hop}, {quadratic}, {quartic}"
        )
    return {**result, "accuracy": accuracy}


def _largest_change(old: dict[str, float] | None, new: dict[str, float]) -> float:
    """Largest change of an entry relative to max(1, |entry|), two NaNs being equal; inf without `old`."""
    if old is None:
        return math.inf
    changes = [
        abs(new[name] - old[name]) / max(1.0, abs(new[name]))
        for name in new
        if not (math.isnan(new[name]) and math.isnan(old[name]))
    ]
    return max(math.inf if math.isnan(change) else change for change in changes)


def _phi4_estimates(
    n_sites: int, log_z: float, quartic: float, q: tuple[float, float], m: dict[str, float]
) -> dict:
    """Common dictionary; `q` is mean and variance of sum phi^4, `m` the field moments."""
    return {
        "log_z": log_z,
        "free_energy": -log_z,
        "energy": 0.5 * n_sites - quartic * q[0],
        "specific_heat": 0.5 + (quartic**2 * q[1] - 2.0 * quartic * q[0]) / n_sites,
        "magnetization": 0.0,
        "susceptibility": m["zero"],
        "binder_cumulant": binder_cumulant(m["m2"], m["m4"]),
        "correlation_length": m["length"],
        "phi2": m["phi2"],
    }


def _chain_on_grid(n: int, hop: float, quadratic: float, quartic: float, n_nodes: int) -> dict[str, float]:
    """Estimates of the ring from one grid."""
    x, spacing = field_grid(quadratic - 2.0 * abs(hop), quartic, n_nodes)
    potential = quadratic * x**2 + quartic * x**4
    exponent = 2.0 * hop * np.outer(x, x) - 0.5 * (potential[:, None] + potential)
    top = exponent.max()
    values, vectors = np.linalg.eigh(spacing * np.exp(exponent - top))
    order = np.argsort(-np.abs(values))
    order = order[np.abs(values[order]) > 1e-17 * abs(values[order[0]])]
    ratio, vectors = values[order] / values[order[0]], vectors[:, order]
    trace = float((ratio**n).sum())
    log_z = n * (float(top) + math.log(values[order[0]])) + math.log(trace)

    def mean(values: np.ndarray) -> float:
        """Average of a function of one site's field."""
        return float((values @ vectors**2 * ratio**n).sum()) / trace

    def correlations(values: np.ndarray) -> np.ndarray:
        """``<O_0 O_r>``, r = 0 .. n-1, shape (n,); r = 0 apart, as the kept eigenvectors are not complete."""
        operator, distance = vectors.T @ (values[:, None] * vectors), np.arange(1, n)[:, None]
        apart = ((ratio ** (n - distance)) @ operator**2 * ratio**distance).sum(axis=1) / trace
        return np.concatenate([[mean(values**2)], apart])

    mean_4 = mean(x**4)
    field, centred = correlations(x), correlations(x**4 - mean_4)
    zero = float(field.sum())
    minimum = float((field * np.cos(2.0 * np.pi * np.arange(n) / n)).sum())
    moments = {
        "zero": zero,
        "m2": zero / n,
        "m4": _fourth_moment(n, vectors, ratio, x) / (n**4 * trace),
        "phi2": mean(x**2),
        "length": second_moment_length(zero, [minimum], hypercubic_momenta(n)),
    }
    return _phi4_estimates(n, log_z, quartic, (n * mean_4, n * float(centred.sum())), moments)


def _fourth_moment(n: int, vectors: np.ndarray, ratio: np.ndarray, x: np.ndarray) -> float:
    """Trace with (sum_i x_i)^4 inserted: 4! times the t^4 coefficient of tr (e^{t x} Lambda)^n."""
    keep = np.abs(ratio) > 1e-15
    vectors, ratio = vectors[:, keep], ratio[keep]
    series = [vectors.T @ ((x[:, None] ** k / math.factorial(k)) * vectors) * ratio for k in range(5)]

    return 24.0 * float(np.trace(series_power(series, n)[4]))


def phi4_torus(
    extent: tuple[int, int], hop: float, quadratic: float, quartic: float, rank: int | None = None
) -> dict[str, float]:
    """All estimates of a small phi^4 torus, by contraction of its tensor network (see `tensor_rows`).

    Parameters
    ----------
    extent : tuple of 2 int
        The smaller from 2 to 4, the larger at most 16.
    hop, quadratic, quartic : float
        Action of the module docstring; quartic > 0, or zero with ``quadratic > 4 |hop|``.
    rank : int, optional
        Terms kept of each bond. Default: 14, 12, 7 for rows of 2, 3, 4 sites.

    Returns
    -------
    dict of float
        Names as in `phi4_chain`; ``accuracy`` compares with the rank less 2.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range, or exp(-S) cannot be normalised.

    Notes
    -----
    A few seconds for 3 x 3 at the default rank. Strong hopping with a shallow well needs the largest ranks:
    look at ``accuracy``.

    Examples
    --------
    >>> exact = phi4_torus((2, 3), hop=0.25, quadratic=0.956, quartic=0.022, rank=8)
    >>> round(exact["log_z"], 4), exact["accuracy"] < 1e-3
    (4.6189, True)
    """
    if not isinstance(extent, tuple | list) or len(extent) != 2:
        raise ValueError(f"extent must be a pair of integers, got {extent!r}")
    width, length = sorted(count(size, "extent", 2, 16) for size in extent)
    hop, quadratic, quartic = _check_phi4(hop, quadratic, quartic, 4)
    if width > 4:
        raise NotExactError(
            f"extent must have one side of at most 4 for an exact contraction, got {tuple(extent)}"
        )
    largest = int(_MAX_ROW_STATES ** (1.0 / width) + 1e-9)
    rank = count({2: 14, 3: 12, 4: 7}[width] if rank is None else rank, "rank", 4, min(largest, 32))
    coarse, fine = (_torus_at_rank(width, length, hop, quadratic, quartic, r) for r in (rank - 2, rank))
    return {**fine, "accuracy": _largest_change(coarse, fine)}


def _torus_at_rank(
    width: int, length: int, hop: float, quadratic: float, quartic: float, rank: int
) -> dict[str, float]:
    """Estimates of the torus at one rank."""
    network = RowNetwork(width, length, hop, quadratic, quartic, rank)
    n_sites, ones = width * length, np.ones((width, length))
    field = network.traces(1, ones, 4)
    fourth = network.traces(4, ones, 2) / field[0]
    phi2 = network.traces(2, ones, 1)[1] / (field[0] * n_sites)
    # <|sum phi e^{ikx}|^2> is the sum over cosine and sine, equal by translations; at extent 2 the sine is 0.
    wave = [
        math.sqrt(1 if size == 2 else 2) * np.cos(2.0 * np.pi * np.arange(size) / size)
        for size in (width, length)
    ]
    powers = [2.0 * network.traces(1, wave[1][None, :] * ones, 2)[2] / field[0]]
    same = width == length
    powers.append(powers[0] if same else 2.0 * network.traces(1, wave[0][:, None] * ones, 2)[2] / field[0])
    powers = np.array(powers)
    m2, m4 = 2.0 * field[2] / (field[0] * n_sites**2), 24.0 * field[4] / (field[0] * n_sites**4)
    moments = {
        "zero": n_sites * m2,
        "m2": m2,
        "m4": m4,
        "phi2": phi2,
        "length": second_moment_length(n_sites * m2, powers / n_sites, hypercubic_momenta(length, width)),
    }
    log_z = math.log(field[0]) + network.log_scale()
    q = (float(fourth[1]), float(2.0 * fourth[2] - fourth[1] ** 2))
    return {k: float(v) for k, v in _phi4_estimates(n_sites, log_z, quartic, q, moments).items()}
