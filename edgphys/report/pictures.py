# SPDX-License-Identifier: MIT
"""Pictures of samples: some configurations, the energies, the weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgphys import observables
from edgphys.errors import EdgphysError
from edgphys.report.comparison import whole_scan
from edgphys.report.curve_results import as_scan
from edgphys.report.figure import plot, shown_results

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Picture", "pictures_of"]

_N_SHOWN = 8
_N_POINTS = 2000
_COLOUR = "#0072B2"


@dataclass(frozen=True)
class Picture:
    """A figure and the words for it."""

    figure: Figure
    words: str


def pictures_of(result: xr.Dataset) -> Iterator[Picture]:
    """All that there is to be seen of a dataset."""
    kind = result.attrs["kind"]
    if kind in ("scan", "curve"):
        table = whole_scan(as_scan(result) if kind == "curve" else result)
        for name in shown_results(table):
            title = observables.record(name, result.attrs).title
            yield Picture(plot(table, [name]), f"{title}, with one standard error and differences beneath.")
    elif kind == "samples":
        yield Picture(*_energies(result))
        if "log_weight_joint" in result:
            yield Picture(*_weights(result))
        if "configurations" in result:
            yield Picture(*_configurations(result))
    else:
        with contextlib.suppress(EdgphysError):  # what has nothing to draw
            yield Picture(plot(result), f"The {kind}; open points are not to be trusted.")


def new_figure(width: float, height: float, n_rows: int = 1, n_columns: int = 1) -> tuple[Figure, Any]:
    """An empty figure without pyplot, and its axes; sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(n_rows, n_columns)


def _energies(samples: xr.Dataset) -> tuple[Figure, str]:
    figure, axes = new_figure(4.6, 3.0)
    values, weights = samples["energy"].values.ravel(), _normalised(samples).ravel()
    seen = np.isfinite(values)
    axes.hist(values[seen], bins=60, weights=weights[seen], density=True, color=_COLOUR)
    axes.set_xlabel("energy $E$")
    axes.set_ylabel("density")
    weighted = ", each with its weight" if "log_weight_joint" in samples else ""
    return figure, f"Energies of {values.size} draws{weighted}."


def _normalised(samples: xr.Dataset) -> NDArray[np.float64]:
    """Weight of each draw, summing to 1; all alike for chains."""
    if "log_weight_joint" not in samples:
        return np.full(samples["energy"].shape, 1.0 / samples["energy"].size)
    log_w = samples["log_weight_joint"].values
    weights = np.exp(log_w - log_w.max())
    return weights / weights.sum()


def _weights(samples: xr.Dataset) -> tuple[Figure, str]:
    figure, axes = new_figure(4.6, 3.0)
    log_w = samples["log_weight_joint"].values
    log_w = log_w[np.isfinite(log_w)]
    mean = np.logaddexp.reduce(log_w) - np.log(log_w.size)
    axes.hist(log_w - mean, bins=60, color=_COLOUR, log=True)
    axes.axvline(0.0, color="0.15", linewidth=0.9)
    axes.set_xlabel(r"$\log(w / \langle w \rangle)$")
    axes.set_ylabel("draws")
    return figure, (
        f"Weights of {log_w.size} draws over their mean. A tail to the right that few draws reach is what "
        "makes an estimate unreliable; perfect draws would all be at 0."
    )


def _chosen(samples: xr.Dataset, n: int) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """About n configurations, each as often as its weight says, and their dims.

    Evenly spaced in the sum of the weights, so that chains give evenly spaced states.
    """
    weights = _normalised(samples)
    array = samples["configurations"].transpose(*samples["energy"].dims, ...)
    places = np.searchsorted(np.cumsum(weights.ravel()), (np.arange(n) + 0.5) / n)
    indices = np.unravel_index(np.minimum(places, weights.size - 1), weights.shape)
    chosen = np.stack([array.variable[index].values for index in zip(*indices, strict=True)])
    return chosen, tuple(map(str, array.dims[weights.ndim :]))


def _configurations(samples: xr.Dataset) -> tuple[Figure, str]:
    """Pictures of a few configurations; a cloud of many where a configuration is a point."""
    _, dims = _chosen(samples, 1)
    if dims == ("coordinate",):
        return _cloud(_chosen(samples, _N_POINTS)[0])
    chosen, _ = _chosen(samples, _N_SHOWN)
    if dims == ("particle", "axis"):
        return _particles(chosen)
    return _lattice(chosen, samples.attrs)


def _cloud(points: NDArray[np.float64]) -> tuple[Figure, str]:
    figure, axes = new_figure(4.0, 3.6)
    if points.shape[1] == 1:
        axes.hist(points[:, 0], bins=60, density=True, color=_COLOUR)
        axes.set_ylabel("density")
    else:
        axes.plot(points[:, 0], points[:, 1], ".", color=_COLOUR, markersize=2, alpha=0.5)
        axes.set_ylabel("$x_2$")
    axes.set_xlabel("$x_1$")
    more = " Coordinates 1 and 2." if points.shape[1] > 2 else ""
    return figure, f"{len(points)} of the configurations, each as often as its weight says.{more}"


def _particles(chosen: NDArray[np.float64]) -> tuple[Figure, str]:
    figure, panels = _panels()
    chosen = chosen - chosen.mean(axis=1, keepdims=True)
    flat = np.pad(chosen, ((0, 0), (0, 0), (0, max(0, 2 - chosen.shape[2]))))
    reach = 1.15 * np.abs(flat).max() + 1e-12
    for axes, one in zip(panels, flat, strict=True):
        depth = one[:, 2] if one.shape[1] > 2 else np.zeros(len(one))
        order = np.argsort(depth)  # what is near covers what is far
        style = {"cmap": "cividis", "edgecolors": "0.2", "linewidths": 0.5, "s": 110}
        axes.scatter(one[order, 0], one[order, 1], c=depth[order], **style)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    seen = " seen along z, near particles bright" if chosen.shape[2] > 2 else ""
    return figure, f"{len(chosen)} of the configurations about their centres{seen}."


def _lattice(chosen: NDArray[np.float64], attrs: Mapping[str, Any]) -> tuple[Figure, str]:
    figure, panels = _panels()
    style = {"cmap": "RdBu_r", "vmin": -np.abs(chosen).max(), "vmax": np.abs(chosen).max()}
    positions, what = _positions(attrs), "the configurations"
    for axes, one in zip(panels, chosen, strict=True):
        if positions is not None:
            axes.scatter(positions[:, 0], positions[:, 1], c=one.ravel(), s=2200 / len(positions), **style)
            axes.set_aspect("equal")
            continue
        if one.ndim > 2:
            one, what = one.reshape(*one.shape[:2], -1)[:, :, 0], "the configurations, one layer each"
        image = np.atleast_2d(one).T
        axes.imshow(image, origin="lower", interpolation="nearest", aspect="auto", **style)
    return figure, f"{len(chosen)} of {what}: positive values red, negative ones blue."


def _positions(attrs: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Where the sites of a plane lattice are that is no rectangle of squares; None of others, or unknown."""
    import lattices

    extent = tuple(int(length) for length in np.atleast_1d(attrs["extent"]))
    if len(extent) != 2 or attrs["lattice"] == "square":
        return None
    try:
        return lattices.build(attrs["lattice"], extent, allow_double_bonds=True).positions
    except (EdgphysError, ValueError):  # a unit cell of one's own
        return None


def _panels() -> tuple[Figure, list[Axes]]:
    figure, grid = new_figure(6.4, 3.3, 2, _N_SHOWN // 2)
    panels = list(np.ravel(grid))
    for axes in panels:
        axes.set(xticks=[], yticks=[])
    return figure, panels
