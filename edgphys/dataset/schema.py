# SPDX-License-Identifier: MIT
"""Schema 1 of datasets: which attributes, dims, variables and dtypes each kind has.

    kind       dims                              variables
    samples    (draw,) or (chain, draw)          observables per draw, log_weight_joint if there is no chain,
                                                 optional configurations (draw dims, site dims)
    estimates  none                              <name>, <name>_err, diagnostics
    scan       (method, <scanned couplings>)     the same, NaN where a method gives none; sizes of a lattice
                                                 are the coupling ``extent``, integers or text such as 16x8
    curve      (<coupling>,)                     the same; <name>_covariance (<coupling>, <coupling>_other);
                                                 of the nodes that were sampled log_z_node (<coupling>_node,)
                                                 and derivative (<coupling>_between,); or, of rungs that were
                                                 reweighted, <name>_resampled (resample, <coupling>)
    correlation  (distance,)                     correlation, correlation_err, tau_int
    profile    none, one such as (energy,), two  <name>, <name>_err over them; numbers of no dim
    distance   none                              <name>, <name>_err: samples against a reference
    times      (quantity,)                       autocorrelation times and errors of chains
    bound      (chain, draw)                     log_weight_reverse, whose mean bounds log_z from above
    crossings  (pair,)                           crossing and value with errors, both linear sizes
    history    (step,)                           bound, learning_rate, stage of a training
    collapse   none; (point,)                    critical coupling, exponents with errors; scaled x, y, y_err
    rungs      (rung,)                           log_z, log_z_err along a ladder
    ladder     (rung, chain, draw)               observables per draw, action_terms (.., term), replica
                                                 (integers); action_coefficients (rung, term), swap_rate
                                                 (pair, chain), round trips (chain)

The dim "rung" has the name of the coupling if the rungs differ in one.

Chains of unequal length have the boolean coordinate `drawn` (chain, draw), see `edgphys.dataset.padding`.

All variables are float64, configurations any real type. Attributes are text, numbers and lists of numbers, or
JSON text. Systems without a lattice have `n_variables` in place of the attributes of the geometry, and may
name `observables`, whose averages are estimates, two `basins`, and a `domain`: kind ("line", "circle",
"interval") and ends of each coordinate, where not all are lines. A scan over sizes has `extents`, JSON text
of (extent, n_sites, linear_size) by label, in place of these; one of several runs has `runs`, their seeds,
settings and cells. Where configurations are numbers of states, `order_vectors` has what stands for them,
see `edgphys.estimators.profiles.order_components`; of rotors `order_field` says "angles" or "vectors";
`order_axis` names the dimension of imaginary time. `exact_note` says how exact results and draws compare.
`draws` names by cell the files beside a scan in which it has kept its draws. `constants` are
observables that are the same in all configurations.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from edgphys._checks import instance, one_line
from edgphys.dataset.attribute_values import JSON_ATTRS, LISTS, STATE, check_values, is_number
from edgphys.dataset.extents import EXTENT, attrs_at
from edgphys.dataset.padding import DRAWN, drawn
from edgphys.errors import DatasetError

__all__ = [
    "GEOMETRY",
    "JSON_ATTRS",
    "KINDS",
    "LISTS",
    "NOT_THERE",
    "REQUIRED",
    "SCHEMA_VERSION",
    "STATE",
    "is_number",
    "validate",
]

SCHEMA_VERSION = 1

GEOMETRY = ("system", "lattice", "extent", "pbc")
# A system lives on a lattice, or it has a number of variables.
_LATTICE = ("lattice", "extent", "pbc", "n_sites", "z2_symmetric", "linear_size")
_NO_LATTICE = ("n_variables",)
_ABOUT = (*GEOMETRY, *STATE, "parameters", "definitions", "method")
REQUIRED = {
    "samples": (*_ABOUT, "seed"),
    "estimates": _ABOUT,
    "scan": (*GEOMETRY, "parameters", "definitions", "couplings"),
    "correlation": _ABOUT,
    "profile": _ABOUT,
    "ladder": (*_ABOUT, "seed", "ladder", "rungs"),
    "times": _ABOUT,
    "bound": (*_ABOUT, "seed"),
    "distance": ("method",),
    "rungs": ("method",),
    "crossings": ("definitions", "method"),
    "collapse": ("definitions", "method"),
    "history": ("system", "parameters", "definitions", "method"),
    "curve": (*GEOMETRY, "parameters", "definitions", "couplings", "method", "seed"),
}
_OF_CURVES = ("ess", "log_z_node_deviation", "derivative_deviation")
NOT_THERE = "which is missing; a selection keeps it for a list of values, as table.isel(temperature=[0]) does"


def validate(ds: xr.Dataset) -> None:
    """Check that a dataset is one of schema 1.

    Parameters
    ----------
    ds : Dataset
        Of any of the kinds in the module docstring.

    Raises
    ------
    TypeError
        If `ds` is no Dataset.
    DatasetError
        If an attribute, a dim, a variable or a dtype is not as the schema has it; the first is named.

    Examples
    --------
    >>> validate(xr.Dataset())
    Traceback (most recent call last):
    edgphys.errors.DatasetError: schema_version must be 1, got none: not a dataset of edgphys
    """
    instance(ds, "ds", xr.Dataset, "an xarray.Dataset")
    _check_version(ds.attrs)
    kind = ds.attrs.get("kind")
    if kind not in KINDS:
        raise DatasetError(f"kind must be one of {', '.join(KINDS)}, got {one_line(kind)}")
    _check_attrs(ds.attrs, kind)
    _CHECKS[kind](ds)


def _check_version(attrs: dict[str, Any]) -> None:
    version = attrs.get("schema_version")
    if version is None:
        raise DatasetError(f"schema_version must be {SCHEMA_VERSION}, got none: not a dataset of edgphys")
    if isinstance(version, bool) or not isinstance(version, int | np.integer) or version != SCHEMA_VERSION:
        raise DatasetError(
            f"schema_version must be {SCHEMA_VERSION}, got {one_line(version)}: "
            "written by another version of edgphys"
        )


def _check_attrs(attrs: dict[str, Any], kind: str) -> None:
    free = "n_variables" in attrs and not any(name in attrs for name in _LATTICE)
    other = _LATTICE if free else _NO_LATTICE
    other = (*other, "extent") if "extents" in attrs else other  # of every size, see edgphys.dataset.extents
    missing = [name for name in REQUIRED[kind] if name not in attrs and name not in other]
    if missing:
        raise DatasetError(f"attrs of kind {kind} must have {', '.join(missing)}, which is missing")
    check_values(attrs)


def _check_samples(ds: xr.Dataset) -> None:
    dims = ("chain", "draw") if "chain" in ds.dims else ("draw",)
    if "draw" not in ds.dims:
        raise DatasetError(f"samples must have the dims (draw,) or (chain, draw), got {tuple(ds.dims)}")
    if DRAWN in ds.coords:
        _check_drawn(ds.coords[DRAWN], dims)
    needed = ("energy",) if "chain" in dims else ("energy", "log_weight_joint")
    for name in needed:
        if name not in ds.data_vars:
            raise DatasetError(
                f"samples with the dims {dims} must have the variable {name}, which is missing"
            )
    for name, variable in ds.data_vars.items():
        if name == "configurations":
            if variable.dims[: len(dims)] != dims or variable.dtype.kind not in "fiu":
                raise DatasetError(
                    f"configurations must be real numbers with the first dims {dims}, "
                    f"got {variable.dtype} with {variable.dims}"
                )
        elif name == "correlation":
            _check_variable(name, variable, (*dims, "distance"))
        else:
            _check_variable(name, variable, dims)


def _check_drawn(there: xr.DataArray, dims: tuple[str, ...]) -> None:
    """Ends of chains of unequal length, see `edgphys.dataset.padding`."""
    if set(there.dims) != set(dims) or len(dims) < 2 or there.dtype != bool:
        words = f"coordinate {DRAWN} must be boolean with the dims (chain, draw)"
        raise DatasetError(f"{words}, got {there.dtype} with {there.dims}")
    try:
        drawn(there.to_dataset(name="of"), dims)
    except ValueError as error:
        raise DatasetError(f"coordinate {error}") from None


def _check_numbers(ds: xr.Dataset) -> None:
    """Estimates, distances: numbers of no dim."""
    _check_pairs(ds)
    for name, variable in ds.data_vars.items():
        _check_variable(name, variable, ())


def _check_scan(ds: xr.Dataset) -> None:
    couplings = json.loads(ds.attrs["couplings"])
    dims = ("method", *couplings)
    for name in dims:
        if name not in ds.coords or name not in ds.dims:
            raise DatasetError(f"scan must have the dimension and coordinate {name}, {NOT_THERE}")
        _check_labels(ds, name, {"method": "US", EXTENT: "iuUS"}.get(name, "fiu"))
    _check_pairs(ds)
    for name, variable in ds.data_vars.items():
        _check_variable(name, variable, dims)
    for label in ds[EXTENT].values.tolist() if EXTENT in couplings and "extents" in ds.attrs else ():
        attrs_at(ds.attrs, label)


def _check_curve(ds: xr.Dataset) -> None:
    couplings = json.loads(ds.attrs["couplings"])
    if len(couplings) != 1:
        raise DatasetError(f"attr couplings of kind curve must name one coupling, got {couplings}")
    (coupling,) = couplings
    node, between = f"{coupling}_node", f"{coupling}_between"
    reweighted = node not in ds.dims
    for name in (coupling,) if reweighted else (coupling, f"{coupling}_other", node, between):
        if name not in ds.coords or name not in ds.dims:
            raise DatasetError(f"curve must have the dimension and coordinate {name}, {NOT_THERE}")
        _check_labels(ds, name, "fiu")
    for name in ("ess",) if reweighted else _OF_CURVES:
        if name not in ds.data_vars:
            raise DatasetError(f"curve must have the variable {name}, which is missing")
    _check_pairs(ds)
    for name, variable in ds.data_vars.items():
        if str(name).endswith("_covariance"):
            _check_variable(name, variable, (coupling, f"{coupling}_other"))
        elif str(name).endswith("_resampled"):
            _check_variable(name, variable, ("resample", coupling))
        else:
            others = [dims for dims in ((node,), (between,)) if variable.dims == dims]
            _check_variable(name, variable, others[0] if others else (coupling,))


def _check_profile(ds: xr.Dataset) -> None:
    """Profiles, correlations, times, rungs: numbers over one dim, or of none."""
    kind = ds.attrs["kind"]
    _check_pairs(ds)
    most = 2 if kind == "profile" else 1
    if len(ds.dims) > most or (kind != "profile" and not ds.dims):
        raise DatasetError(f"{kind} must have one dim, got {tuple(ds.dims)}")
    dims = tuple(ds.dims)
    wanted = {"correlation": ("distance",), "times": ("quantity",)}.get(kind, dims)
    if dims != wanted:
        raise DatasetError(f"{kind} must have the dim {wanted[0]}, got {dims[0]}")
    if kind != "rungs" and any(dim not in ds.coords for dim in dims):
        raise DatasetError(f"{kind} must have the coordinate {dims[0]}, which is missing")
    for name, variable in ds.data_vars.items():
        _check_variable(name, variable, dims if variable.dims else ())


def _check_history(ds: xr.Dataset) -> None:
    if "bound" not in ds.data_vars:
        raise DatasetError("history must have the variable bound, which is missing")
    for name, variable in ds.data_vars.items():
        _check_variable(name, variable, ("step",))


def _check_bound(ds: xr.Dataset) -> None:
    if set(ds.data_vars) != {"log_weight_reverse"}:
        raise DatasetError(f"bound must have the variable log_weight_reverse, got {tuple(ds.data_vars)}")
    _check_variable("log_weight_reverse", ds["log_weight_reverse"], ("chain", "draw"))


def _check_ladder(ds: xr.Dataset) -> None:
    couplings, rungs = json.loads(ds.attrs["ladder"]), json.loads(ds.attrs["rungs"])
    dim = next(iter(couplings)) if len(couplings) == 1 else "rung"
    if ds.sizes.get(dim) != len(rungs):
        raise DatasetError(f"ladder must have the dim {dim} with {len(rungs)} rungs, got {dict(ds.sizes)}")
    draws = (dim, "chain", "draw")
    fixed: dict[Any, tuple] = {"action_terms": (*draws, "term"), "action_coefficients": (dim, "term")}
    for name in ("energy", *fixed):
        if name not in ds.data_vars:
            raise DatasetError(f"ladder must have the variable {name}, which is missing")
    fixed |= {"swap_rate": ("pair", "chain"), "round_trip_time": ("chain",), "n_round_trips": ("chain",)}
    for name, variable in ds.data_vars.items():
        if name in ("configurations", "replica"):
            if variable.dims[:3] != draws or variable.dtype.kind not in "fiu":
                raise DatasetError(
                    f"{name} must be real numbers with the first dims {draws}, "
                    f"got {variable.dtype} with {variable.dims}"
                )
        else:
            # Profiles, of several numbers per draw, name their further dims themselves.
            _check_variable(name, variable, fixed.get(name, (*draws, *variable.dims[3:])))


def _check_labels(ds: xr.Dataset, name: str, kinds: str) -> None:
    """The coordinate of a dim: text, or finite numbers, each once."""
    values = ds[name].values
    text = values.dtype == object and all(isinstance(one, str) for one in values.tolist())
    if not (values.dtype.kind in kinds or ("U" in kinds and text)):
        words = {"US": "text", "fiu": "numbers"}.get(kinds, "integers or text")
        raise DatasetError(f"coordinate {name} must be {words}, got {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DatasetError(f"coordinate {name} must be finite, got {one_line(values.tolist())}")
    if len(set(values.tolist())) < len(values):
        raise DatasetError(f"coordinate {name} must not have a value twice, got {one_line(values.tolist())}")


def _check_over(ds: xr.Dataset) -> None:
    """Crossings, collapses: numbers of no dim, or over the one dim that the kind has."""
    dim = {"crossings": "pair", "collapse": "point"}[ds.attrs["kind"]]
    if tuple(ds.dims) != (dim,):
        raise DatasetError(f"{ds.attrs['kind']} must have the dim {dim}, got {tuple(ds.dims)}")
    _check_pairs(ds)
    for name, variable in ds.data_vars.items():
        _check_variable(name, variable, (dim,) if variable.dims else ())


def _check_variable(name: Any, variable: xr.DataArray, dims: tuple[Any, ...]) -> None:
    if set(variable.dims) != set(dims):
        raise DatasetError(f"variable {name} must have the dims {dims}, got {variable.dims}")
    if variable.dtype != np.float64:
        raise DatasetError(f"variable {name} must be float64, got {variable.dtype}")


def _check_pairs(ds: xr.Dataset) -> None:
    """Some variable, and in results of the table of observables no error without its value."""
    if not ds.data_vars:
        raise DatasetError(f"{ds.attrs['kind']} must have at least one variable, got none")
    if ds.attrs["kind"] in ("distance", "times", "rungs"):
        return
    for name in ds.data_vars:
        if str(name).endswith("_err") and str(name).removesuffix("_err") not in ds.data_vars:
            raise DatasetError(
                f"variable {name} must come with {str(name).removesuffix('_err')}, got it alone"
            )


_CHECKS = {
    "samples": _check_samples,
    "estimates": _check_numbers,
    "scan": _check_scan,
    "ladder": _check_ladder,
    "correlation": _check_profile,
    "profile": _check_profile,
    "distance": _check_numbers,
    "times": _check_profile,
    "bound": _check_bound,
    "rungs": _check_profile,
    "crossings": _check_over,
    "collapse": _check_over,
    "curve": _check_curve,
    "history": _check_history,
}
KINDS = tuple(_CHECKS)
