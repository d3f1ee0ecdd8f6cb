# SPDX-License-Identifier: MIT
"""Scans laid over each other: other seeds are averaged, other points, sizes and methods put beside.

Oracles: the average and its error by hand, chi^2 of two runs (a - b)^2 / (err_a^2 + err_b^2).
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from helpers.datasets import exact, scan_of

import edgphys as ep
from edgphys import dataset
from edgphys.dataset.pooling import pooled
from edgphys.errors import DatasetError


def test_other_seeds_are_averaged_by_their_numbers_of_draws(tmp_path):
    one, two = scan_of(seed=0), scan_of(seed=1, shift=2.0, n_draws=300.0)
    merged = ep.merge([one, two])
    dataset.validate(merged)
    np.testing.assert_allclose(merged.energy, 0.25 * one.energy + 0.75 * two.energy, rtol=1e-15)
    np.testing.assert_allclose(merged.energy_err, 0.1 * np.hypot(0.25, 0.75), rtol=1e-15)
    np.testing.assert_allclose(merged.runs_chi2, 0.2**2 / (2 * 0.1**2), rtol=1e-12)
    assert (merged.n_runs == 2).all() and (merged.n_draws == 400).all() and (merged.wall_time == 1.0).all()
    assert (merged.converged == 1).all() and merged.attrs["seed"] == [0, 1]
    assert [run["seed"] for run in json.loads(merged.attrs["runs"])] == [0, 1]
    xr.testing.assert_identical(dataset.read(dataset.write(merged, tmp_path / "a.nc")), merged)
    third = scan_of(seed=2, shift=-1.0, n_draws=50.0)
    step, at_once = ep.merge([merged, third]), ep.merge([one, two, third])
    for name in ("energy", "energy_err", "n_draws", "n_runs"):
        np.testing.assert_allclose(step[name], at_once[name], rtol=1e-14)


@pytest.mark.parametrize(("shift", "agree"), [(4.0, True), (4.5, False)])
def test_runs_that_disagree_are_not_trusted(shift, agree):
    """Three sigma of the difference, sqrt(2) errors, are 4.24 errors of one run."""
    merged = ep.merge([scan_of(seed=0), scan_of(seed=1, shift=shift)])
    assert bool((merged.converged == 1).all()) is agree
    warnings = json.loads(merged.attrs["warnings"])
    assert (
        warnings == {} if agree else "runs disagree in energy (chi^2 10.1" in warnings["wolff temperature=2"]
    )


def test_what_a_run_could_not_determine_stays_open():
    """The others would be a choice among results; a variable that a run does not have at all is not."""
    cells = [{"a": 1.0, "a_err": 0.1, "ess": 0.5}, {"a": np.nan, "a_err": np.nan, "r_hat": 1.1}]
    both = pooled(cells)
    assert np.isnan(both["a"]) and np.isnan(both["a_err"]) and both["ess"] == 0.5 and both["r_hat"] == 1.1


def test_weights_by_errors_would_be_biased_and_these_are_not():
    """Means of exponentials, whose errors go with them; the control is the weighting that was not taken."""
    draws = np.random.default_rng(0).exponential(size=(4000, 2, 20))
    means, errors = draws.mean(-1), draws.std(-1, ddof=1) / np.sqrt(20)
    runs = [
        [{"a": a, "a_err": e} for a, e in zip(*pair, strict=True)] for pair in zip(means, errors, strict=True)
    ]
    ours = np.array([pooled(pair)["a"] for pair in runs])
    by_errors = (means / errors**2).sum(1) / (errors**-2.0).sum(1)
    z = lambda values: (values.mean() - 1.0) / values.std() * np.sqrt(len(values))  # noqa: E731
    assert abs(z(ours)) < 4 < abs(z(by_errors))


def test_other_points_and_methods_are_put_beside_and_what_never_ran_is_nan():
    one = scan_of(methods=("wolff", "exact"), temperature=(2.0, 3.0))
    two = scan_of(methods=("edg", "exact"), temperature=(2.5, 3.0))
    merged = ep.merge([one, two])
    assert merged.method.values.tolist() == ["wolff", "exact", "edg"]
    assert merged.temperature.values.tolist() == [2.0, 2.5, 3.0]
    assert int(merged.energy.isnull().sum()) == 2 and "n_runs" not in merged
    assert "runs" not in merged.attrs and merged.attrs["seed"] == 0
    for table in (one, two):
        cells = merged.sel({name: table[name] for name in table.dims})
        xr.testing.assert_equal(cells.energy, table.energy)


def test_other_sizes_are_a_coordinate(tmp_path):
    merged = ep.merge([scan_of(extent=8), scan_of(extent=4), scan_of(extent=8, seed=1, shift=1.0)])
    assert merged.energy.dims == ("method", "extent", "temperature")
    assert merged.extent.values.tolist() == [4, 8] and merged.extent.dtype.kind == "i"
    assert merged.n_runs.sel(extent=8).values.tolist() == [[2.0, 2.0]]
    assert json.loads(merged.attrs["extents"])["8"] == {"extent": [8], "n_sites": 8, "linear_size": 8.0}
    assert not {"extent", "n_sites", "linear_size"} & set(merged.attrs)
    back = dataset.read(dataset.write(merged, tmp_path / "a.nc"))
    xr.testing.assert_identical(back, merged)
    assert ep.merge([back, scan_of(extent=16)]).extent.values.tolist() == [4, 8, 16]


def test_sizes_of_other_shapes_have_labels_of_text():
    def sized(extent, **options):
        about = {"extent": extent, "pbc": [1, 1], "n_sites": extent[0] * extent[1]}
        return scan_of(**options).assign_attrs(about)

    both = ep.merge([sized([4, 4], seed=1), sized([8, 8])])
    merged = ep.merge([both, sized([16, 2])])
    assert merged.extent.values.tolist() == ["4x4", "8x8", "16x2"]
    assert {run["seed"]: len(run["cells"]) for run in json.loads(merged.attrs["runs"])} == {1: 2, 0: 4}
    assert "wolff extent=4x4,temperature=2" in json.loads(merged.attrs["runs"])[0]["cells"]


def test_a_parameter_that_one_scan_holds_is_a_point_of_another():
    over = scan_of().expand_dims({"field": [0.1, 0.2]}, axis=-1)
    over.attrs = scan_of().attrs | {"couplings": '["temperature", "field"]', "parameters": "{}"}
    merged = ep.merge([over, scan_of(seed=1)])
    assert merged.field.values.tolist() == [0.0, 0.1, 0.2] and merged.attrs["parameters"] == "{}"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (scan_of(temperature=(3.0, 4.0)), r"two results for method=wolff, temperature=3\.0 of seed 0"),
        (scan_of(shift=1.0, settings='{"wolff": {"n_sweeps": 9}}'), "of seed 0: the same draws twice"),
        (scan_of(seed=1), "one a copy of the other"),
        (scan_of(seed=1, system="phi4"), "attr system must agree"),
        (scan_of(seed=1, parameters='{"field": 0.5}'), "attr parameters must agree"),
        (scan_of(seed=1, definitions='{"energy": "per site"}'), "two definitions of energy"),
        (scan_of(seed=1, pbc=[0]), "attr pbc must agree"),
    ],
)
def test_copies_and_other_physics_are_refused(other, message):
    with pytest.raises(DatasetError, match=message):
        ep.merge([scan_of(), other])


def test_exact_results_count_once_and_must_agree():
    merged = ep.merge([exact(2.0), exact(3.0)])
    with pytest.raises(DatasetError, match="same cell twice"):
        ep.merge([merged, merged])
    wider = ep.merge([exact(2.0), exact(4.0)])
    assert ep.merge([merged, wider]).temperature.size == 3
    other = ep.merge([exact(2.0, log_z=3.1), exact(4.0)])
    with pytest.raises(DatasetError, match=r"exact results must agree .* log_z = 3\.0 and 3\.1"):
        ep.merge([merged, other])
