# SPDX-License-Identifier: MIT
"""The pictures of a page: those of `edgphys.plot`, some configurations, what a trained generator draws."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgphys import observables
from edgphys.dataset.files import read
from edgphys.dataset.padding import drawn
from edgphys.dataset.source import SOURCE
from edgphys.errors import EdgphysError
from edgphys.estimators.profiles.order_components import n_order_axes, n_order_states
from edgphys.report.curve_results import as_scan
from edgphys.report.drawing.marks import BLUE
from edgphys.report.drawing.scan import draw_each
from edgphys.report.drawing.sheet import SHEETS
from edgphys.report.figure import plot

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Picture", "pictures_of", "pictures_of_model"]

_N_SHOWN = 8
_N_CELLS = 4
_N_POINTS = 2000
_WORDS = {
    "samples": "Energies of the draws.",
    "history": "The training: the bound, one batch at each step.",
}
_OF_WEIGHTS = (
    " Each draw has its weight; the weights over their mean are beneath: a tail to the right that few draws "
    "reach makes an estimate unreliable, perfect draws are all at 0."
)


@dataclass(frozen=True)
class Picture:
    """A figure and the words for it."""

    figure: Figure
    words: str


def pictures_of(result: xr.Dataset) -> Iterator[Picture]:
    """All that there is to be seen of a dataset."""
    kind = result.attrs["kind"]
    if kind in ("scan", "curve"):
        for name, figure in draw_each(as_scan(result) if kind == "curve" else result, SHEETS["screen"]):
            title = observables.record(name, result.attrs).title
            yield Picture(figure, f"{title}, with one standard error and differences beneath.")
        yield from _kept_draws(result)
        return
    words = _WORDS.get(kind, f"The {kind}; open points are not to be trusted.")
    words += _OF_WEIGHTS if "log_weight_joint" in result else ""
    with contextlib.suppress(EdgphysError):  # what has nothing to draw
        yield Picture(plot(result), words)
    if kind == "samples" and "configurations" in result:
        yield Picture(*_configurations(result))


def pictures_of_model(path: Path) -> Iterator[Picture]:
    """The training of a generator; what it draws, in the middle of its range, and with which weights.

    Nothing of systems with a function of one's own but the training.
    """
    from edgphys.edg import EDG
    from edgphys.edg.history import history_of_file

    yield Picture(plot(history_of_file(path)), f"Training of {path.stem}: the bound, one batch at each step.")
    with contextlib.suppress(EdgphysError):
        edg = EDG.load(path)
        middle: dict[str, Any] = {name: 0.5 * (low + high) for name, (low, high) in edg.conditions.items()}
        draws = edg.sample(_N_POINTS, seed=0, n_views=1, n_anneal=0, keep=True, **middle)
        where = "".join(f", {name} = {value:.6g}" for name, value in middle.items())
        for one in pictures_of(draws):
            yield Picture(one.figure, f"{path.stem}{where}, drawn for this page. {one.words}")


def _kept_draws(table: xr.Dataset) -> Iterator[Picture]:
    """Configurations of a few cells of a scan that has kept them, evenly over those of its first method."""
    notes, folder = json.loads(table.attrs.get("draws", "{}")), Path(table.encoding.get(SOURCE, "")).parent
    files = {cell: folder / np.atleast_1d(names)[0] for cell, names in notes.items()}
    there = [cell for cell, path in files.items() if path.exists()]
    there = [cell for cell in there if cell.split(" ")[0] == there[0].split(" ")[0]]
    places = np.linspace(0, len(there) - 1, min(len(there), _N_CELLS)).round().astype(int)
    for cell in (there[place] for place in places):
        with contextlib.suppress(EdgphysError):  # another file by now
            figure, words = _configurations(read(files[cell]))
            yield Picture(figure, f"{cell}: {words}")


def _normalised(samples: xr.Dataset) -> NDArray[np.float64]:
    """Weight of each draw, summing to 1; all alike for chains, and none behind the end of one."""
    dims = list(map(str, samples["energy"].dims))
    weights = drawn(samples, dims).astype(float)
    if "log_weight_joint" in samples:
        log_w = samples["log_weight_joint"].transpose(*dims).values
        weights = np.exp(log_w - log_w.max())
    return weights / weights.sum()


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


def _figure(width: float, height: float, n_rows: int = 1, n_columns: int = 1) -> tuple[Figure, Any]:
    """An empty figure and its axes; sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(n_rows, n_columns)


def _cloud(points: NDArray[np.float64]) -> tuple[Figure, str]:
    figure, axes = _figure(4.0, 3.6)
    if points.shape[1] == 1:
        axes.hist(points[:, 0], bins=60, density=True, color=BLUE)
        axes.set_ylabel("density")
    else:
        axes.plot(points[:, 0], points[:, 1], ".", color=BLUE, markersize=2, alpha=0.5)
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
    colours = "positive values red, negative ones blue"
    if n_order_axes(attrs):
        chosen, colours = chosen[..., -1], "positive z components red, negative ones blue"
    style = {"cmap": "RdBu_r", "vmin": -np.abs(chosen).max(), "vmax": np.abs(chosen).max()}
    if attrs.get("order_field") == "angles":
        style = {"cmap": "twilight", "vmin": -np.pi, "vmax": np.pi}
        colours = "the angles as a circle of colours, bright at -pi and pi, dark at 0"
    if n_states := n_order_states(attrs):
        style = {"cmap": "viridis", "vmin": 0, "vmax": n_states - 1}
        colours = "the states from dark to bright"
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
    return figure, f"{len(chosen)} of {what}: {colours}."


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
    figure, grid = _figure(6.4, 3.3, 2, _N_SHOWN // 2)
    panels = list(np.ravel(grid))
    for axes in panels:
        axes.set(xticks=[], yticks=[])
    return figure, panels
