# SPDX-License-Identifier: MIT
r"""Correlations by distance on every lattice and boundary, and structure factors, with errors.

    G(d) = mean over the pairs of sites at distance d of <s_x s_y>,
    G_c(d) = the same of <s_x s_y> - <s_x> <s_y>,
    S(k) = <|sum_x s_x exp(i k . r_x)|^2> / n_sites .

Distances are those of the true positions, around periodic axes those of the nearest images; pairs whose
distances agree are one class, whichever sublattices they are on. Per draw, all pairs are summed by Fourier
transforms: along an open axis in twice the length, with zeros, so that nothing wraps.

Where the order parameter has several components products are scalar products, see
`edgphys.estimators.profiles.order_components`; of a path integral they are of equal times, averaged over all.

<s_x> is averaged over the translations that there are; it is 0 where the system is Z2 symmetric. From the
draws themselves it makes G_c too small by its own variance, of the order of G_c(0) / (n_sites n_eff).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
import xarray as xr

from edgphys._checks import choice, flag, numbers_of, wrong
from edgphys.dataset.padding import drawn, flat, scattered
from edgphys.errors import ArgumentValueError
from edgphys.estimators.diagnosis import diagnose
from edgphys.estimators.draws import draw_dims, weights_of
from edgphys.estimators.profiles.correlation import (
    correlation_dataset,
    correlation_function,
    draw_means,
    first_and_last,
)
from edgphys.estimators.profiles.order_components import n_order_axes, order_components, sites_first
from edgphys.estimators.profiles.profile_dataset import profile_dataset
from edgphys.recording.record import recorded
from lattices import Lattice, build
from lattices.momenta import reciprocal_vectors
from lattices.numbering import all_sites
from lattices.symmetry import distances

__all__ = ["correlations", "structure_factor"]

_NUMBERS_AT_ONCE = 2**22  # 32 MB of configurations go through the transform together
# What the numbers of a wave vector are multiples of.
_WAVE_UNITS = {"cartesian": lambda lattice: np.eye(lattice.n_dims), "reciprocal": reciprocal_vectors}
_DEFINITION = "mean of <s_x s_y> over the pairs of sites at a distance, in lattice spacings; not connected"
_CONNECTED = "mean of <s_x s_y> - <s_x> <s_y> over the pairs of sites at a distance"


class _Classes(NamedTuple):
    """Displacements between cells, for each pair of sublattices, sorted by the class of their distance."""

    order: np.ndarray
    starts: np.ndarray
    weights: np.ndarray
    distances: np.ndarray
    n_pairs: np.ndarray


@recorded("correlations")
def correlations(
    samples: xr.Dataset,
    by: str = "distance",
    *,
    lattice: Lattice | None = None,
    max_distance: float | None = None,
) -> xr.Dataset:
    """Correlations of the sites of a lattice, by the distance of pairs or along the axes.

    Parameters
    ----------
    samples : Dataset
        Of a system on a lattice with ``configurations`` (``keep=True``), dims ``(chain, draw)``, or
        ``(draw,)`` with ``log_weight_joint``.
    by : {"distance", "axis"}
        "axis" gives `correlation_function`: along periodic axes, in unit cells.
    lattice : Lattice, optional
        That of the samples; needed for a lattice of your own, others are built from the attributes.
    max_distance : float, optional
        Largest distance, in lattice spacings; by default half the longest side of the box.

    Returns
    -------
    Dataset
        Over the dim and coordinate ``distance``, from 0: ``correlation`` and ``connected``, with errors,
        ``n_pairs`` (pairs of sites in the class), ``tau_int`` (of ``correlation``, in draws; NaN for weighted
        draws), float64; the diagnostics of the draws, and ``warning`` where they are not to be trusted. kind
        "correlation".

    Raises
    ------
    TypeError
        If `samples` is no Dataset or `lattice` no Lattice.
    ValueError
        If `by` or `max_distance` is out of range, there are no configurations, or they do not fit the
        lattice.
    NotExactError
        If the log weights are noisy (Hutchinson probes).
    ShortChainError
        If chains have fewer than 16 draws.

    Examples
    --------
    >>> spins = np.sign(np.random.default_rng(0).standard_normal((2, 500, 6)))
    >>> attrs = dict(lattice="chain", extent=[6], pbc=[0], z2_symmetric=1)
    >>> chains = xr.Dataset({"configurations": (("chain", "draw", "x"), spins)}, attrs=attrs)
    >>> table = correlations(chains)
    >>> table["distance"].values, table["n_pairs"].values
    (array([0., 1., 2., 3.]), array([6., 5., 4., 3.]))
    """
    choice(by, "by", ("distance", "axis"))
    if by == "axis":
        return correlation_function(samples)
    lattice, fields, there = _sites(samples, lattice)
    classes = _classes(lattice, _reach(lattice, max_distance))
    components = tuple(order_components(fields, samples.attrs))
    nowhere = np.zeros(lattice.n_sites)
    plain = scattered(_sum_per_draw(lattice, classes, [(one, nowhere) for one in components]), there)
    diagnosis = diagnose(samples, first_and_last(plain))
    mean, err, tau_int = draw_means(diagnosis, plain)
    connected, connected_err = mean, err
    if not int(samples.attrs.get("z2_symmetric", 0)):
        means = [_site_means(samples, lattice, one) for one in components]
        pairs = list(zip(components, means, strict=True))
        around = scattered(_sum_per_draw(lattice, classes, pairs), there)
        connected, connected_err, _ = draw_means(diagnosis, around)
    columns = {
        "correlation": (mean, _DEFINITION),
        "correlation_err": (err, "one standard error of correlation"),
        "connected": (connected, _CONNECTED),
        "connected_err": (connected_err, "one standard error of connected"),
        "n_pairs": (classes.n_pairs, "pairs of sites at the distance; at distance 0 the sites"),
        "tau_int": (tau_int, "integrated autocorrelation time, in draws"),
    }
    coords = {"distance": ("distance", classes.distances, {"definition": "in lattice spacings"})}
    return correlation_dataset(samples, diagnosis, columns, coords)


@recorded("structure_factor")
def structure_factor(
    samples: xr.Dataset,
    k: Sequence[float] | Sequence[Sequence[float]],
    *,
    units: str = "cartesian",
    connected: bool = False,
    lattice: Lattice | None = None,
) -> xr.Dataset:
    """S(k) at chosen wave vectors, on any lattice, with errors.

    Parameters
    ----------
    samples : Dataset
        As for `correlations`.
    k : sequence of float, or of such sequences
        Cartesian wave vector, (n_dims,), or several, (n_waves, n_dims), in inverse lattice spacings: (pi, pi)
        is the staggered order of the square lattice, (4 pi / 3, 0) the three-sublattice order of the
        triangular one. Around a periodic axis only multiples of 2 pi / length see no seam.
    units : {"cartesian", "reciprocal"}
        "reciprocal": `k` holds n_axes multiples h of the reciprocal vectors b, k = sum_mu h_mu b_mu with
        a_mu . b_nu = 2 pi delta_mu_nu: (1/2, 1/2) is the staggered order of the square lattice, (1/3, 2/3)
        the three-sublattice order of the triangular one, and h_mu = n / L_mu the momenta of a periodic box.
    connected : bool
        Of s_x - <s_x> in place of s_x.
    lattice : Lattice, optional
        As for `correlations`.

    Returns
    -------
    Dataset
        ``structure_factor`` and its error, float64, of no dim for one wave vector, else over ``wave``. kind
        "profile"; the attribute ``wave_vectors`` holds the vectors one after the other.

    Raises
    ------
    TypeError, ValueError
        If `k` is not of finite numbers, as many as the lattice has dimensions, or axes, or there are no such
        `units`; and as `correlations` does.

    Examples
    --------
    >>> spins = np.tile([1.0, -1.0], 3).reshape(1, 1, 6).repeat(2, 0).repeat(20, 1)
    >>> attrs = dict(lattice="chain", extent=[6], pbc=[1], z2_symmetric=1)
    >>> chains = xr.Dataset({"configurations": (("chain", "draw", "x"), spins)}, attrs=attrs)
    >>> structure_factor(chains, [[np.pi], [0.0]])["structure_factor"].values.round(12) + 0.0
    array([6., 0.])
    """
    flag(connected, "connected")
    lattice, fields, there = _sites(samples, lattice)
    basis = _WAVE_UNITS[choice(units, "units", _WAVE_UNITS)](lattice)
    allowed = f"a wave vector of {len(basis)} finite numbers, or several"
    vectors = np.asarray(numbers_of(k, "k", allowed), dtype=np.float64)
    if vectors.ndim not in (1, 2) or vectors.shape[-1] != len(basis) or not np.isfinite(vectors).all():
        raise wrong(ArgumentValueError, "k", allowed, k)
    rows = vectors.reshape(-1, len(basis)) @ basis
    phase = lattice.positions @ rows.T
    needs_mean = connected and not int(samples.attrs.get("z2_symmetric", 0))
    total = np.zeros((len(fields), len(rows)))
    for one in order_components(fields, samples.attrs):
        mean = _site_means(samples, lattice, one) if needs_mean else np.zeros(lattice.n_sites)
        parts = (part - mean for part in _parts(one))
        total += np.concatenate([(part @ np.cos(phase)) ** 2 + (part @ np.sin(phase)) ** 2 for part in parts])
    power = scattered(total, there) / lattice.n_sites
    diagnosis = diagnose(samples, {f"S(k_{n})": power[..., n] for n in range(len(rows))})
    value, err, _ = draw_means(diagnosis, power)
    dims = () if vectors.ndim == 1 else ("wave",)
    text = "<|sum_x s_x exp(i k.r_x)|^2> / n_sites at the wave vectors of the attribute wave_vectors"
    value, err = (column[0] if vectors.ndim == 1 else column for column in (value, err))
    table = profile_dataset(
        samples,
        diagnosis,
        {},
        {"structure_factor": (dims, value, text + (", of s_x - <s_x>" if connected else ""))},
        {"structure_factor": (dims, err)},
    )
    table.attrs["wave_vectors"] = rows.ravel().tolist()
    return table.assign_coords({"wave": np.arange(len(rows))}) if dims else table


def _sites(samples: xr.Dataset, lattice: Lattice | None) -> tuple[Lattice, np.ndarray, np.ndarray]:
    """The lattice, the configurations as (n_draws, n_sites, *components), and where there are draws."""
    dims = draw_dims(samples)
    if "configurations" not in samples:
        raise ValueError(f"samples must hold configurations (keep=True), got {tuple(samples.data_vars)}")
    if lattice is None:
        lattice = _lattice_of(samples.attrs)
    elif not isinstance(lattice, Lattice):
        raise TypeError(f"lattice must be made by lattices.build, got {type(lattice).__name__}")
    values = sites_first(samples["configurations"], dims, samples.attrs).values
    shape, there = values.shape[len(dims) :], drawn(samples, dims)
    end = len(shape) - n_order_axes(samples.attrs)
    sites, components = shape[:end], shape[end:]
    if sites != tuple(lattice.shape):
        raise ValueError(f"configurations must have the site shape {tuple(lattice.shape)}, got {sites}")
    return lattice, flat(values, there).reshape(-1, lattice.n_sites, *components), there


def _lattice_of(attrs: dict) -> Lattice:
    missing = [name for name in ("lattice", "extent", "pbc") if name not in attrs]
    if missing:
        raise ValueError(
            f"samples must have the attrs lattice, extent and pbc of a lattice; missing {missing}"
        )
    extent = tuple(int(length) for length in np.atleast_1d(attrs["extent"]))
    pbc = tuple(bool(periodic) for periodic in np.atleast_1d(attrs["pbc"]))
    try:
        return build(attrs["lattice"], extent, pbc, allow_double_bonds=True)
    except ValueError as error:
        raise ValueError(
            f"lattice must be given for samples on a lattice of your own, {attrs['lattice']!r}"
        ) from error


def _spacing(lattice: Lattice) -> float:
    """Shortest bond, in units of the positions."""
    bonds = lattice.positions[lattice.bonds[:, 1]] - lattice.positions[lattice.bonds[:, 0]]
    return float(distances(lattice, bonds).min())


def _reach(lattice: Lattice, max_distance: float | None) -> float:
    """The largest distance, in lattice spacings."""
    if max_distance is None:
        sides = np.linalg.norm(lattice.basis_vectors, axis=1) * np.array(lattice.extent)
        return max(0.5 * float(sides.max()) / _spacing(lattice), 1.0)
    if isinstance(max_distance, bool) or not float(max_distance) >= 0.0:
        raise wrong(ArgumentValueError, "max_distance", "a number >= 0", max_distance)
    return float(max_distance)


def _box(lattice: Lattice) -> tuple[int, ...]:
    """Lengths of the transforms."""
    return tuple(n if periodic else 2 * n for n, periodic in zip(lattice.extent, lattice.pbc, strict=True))


def _sublattice_pairs(lattice: Lattice) -> list[tuple[int, int]]:
    n = lattice.n_sites_per_cell
    return [(a, b) for a in range(n) for b in range(a, n)]


def _classes(lattice: Lattice, reach: float) -> _Classes:
    """Classes of all displacements up to a distance; ordered pairs of sites are counted, then halved."""
    box, open_axes = np.array(_box(lattice)), ~np.array(lattice.pbc)
    steps, _ = all_sites(tuple(box), 1)
    signed = np.where(open_axes & (steps >= np.array(lattice.extent)), steps - box, steps)
    fits = np.prod(
        np.where(open_axes, np.array(lattice.extent) - abs(signed), np.array(lattice.extent)), axis=1
    )
    offsets = np.array(lattice.unit_cell.site_offsets)
    length, count = [], []
    for a, b in _sublattice_pairs(lattice):
        between = (signed + offsets[b] - offsets[a]) @ lattice.basis_vectors
        length.append(distances(lattice, between))
        count.append(fits * (1 if a == b else 2))
    length, count = np.concatenate(length), np.concatenate(count)
    length = length / _spacing(lattice)
    wanted = np.flatnonzero((count > 0) & (length <= reach * (1.0 + 1e-9)))
    values, label = np.unique(np.round(length[wanted], 8), return_inverse=True)
    order = wanted[np.argsort(label, kind="stable")]
    starts = np.searchsorted(np.sort(label.ravel()), np.arange(len(values)))
    ordered = np.bincount(label.ravel(), weights=count[wanted])
    weights = np.concatenate(
        [np.full(len(steps), 1.0 if a == b else 2.0) for a, b in _sublattice_pairs(lattice)]
    )
    n_pairs = np.where(values == 0.0, ordered, 0.5 * ordered)
    return _Classes(order, starts, weights[order], values, n_pairs)


def _parts(flat: np.ndarray) -> list[np.ndarray]:
    step = max(1, _NUMBERS_AT_ONCE // (4 * flat.shape[1]))
    return [flat[i : i + step] for i in range(0, len(flat), step)]


def _sum_per_draw(
    lattice: Lattice, classes: _Classes, components: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """`_per_draw` of fields and their means, summed over the components."""
    first, *others = (_per_draw(lattice, classes, *one) for one in components)
    return sum(others, first)


def _per_draw(lattice: Lattice, classes: _Classes, flat: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Mean of (s_x - mean_x) (s_y - mean_y) over each class of pairs, shape (n_draws, n_classes)."""
    box, axes = _box(lattice), tuple(range(1, lattice.n_axes + 1))
    ordered = np.where(classes.distances == 0.0, 1.0, 2.0) * classes.n_pairs
    results = []
    for part in _parts(flat):
        fields = (part - mean).reshape(len(part), *lattice.extent, lattice.n_sites_per_cell)
        waves = [scipy.fft.rfftn(fields[..., a], box, axes=axes) for a in range(lattice.n_sites_per_cell)]
        sums = [
            scipy.fft.irfftn(waves[a].conj() * waves[b], box, axes=axes).reshape(len(part), -1)
            for a, b in _sublattice_pairs(lattice)
        ]
        chosen = np.concatenate(sums, axis=1)[:, classes.order] * classes.weights
        results.append(np.add.reduceat(chosen, classes.starts, axis=1) / ordered)
    return np.concatenate(results)


def _site_means(samples: xr.Dataset, lattice: Lattice, flat: np.ndarray) -> np.ndarray:
    """<s_x>, the same for sites that a translation takes to each other, shape (n_sites,)."""
    weights = weights_of(samples)
    mean = flat.mean(axis=0) if weights is None else weights @ flat / weights.sum()
    periodic = tuple(axis for axis, around in enumerate(lattice.pbc) if around)
    cells = mean.reshape(*lattice.extent, lattice.n_sites_per_cell)
    return np.broadcast_to(cells.mean(axis=periodic, keepdims=True), cells.shape).reshape(-1)
