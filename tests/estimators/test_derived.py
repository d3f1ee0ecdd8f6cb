# SPDX-License-Identifier: MIT
"""Definitions on numbers worked out by hand, and their gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from edgphys.estimators.derived import derived, gradient, read_primaries
from edgphys.observables import ESTIMATES

ATTRS = dict(beta=0.5, n_sites=16, linear_size=4.0, z2_symmetric=0)


def samples(**attrs):
    m = np.array([0.5, -0.25, 0.75, 0.5])
    columns = {
        "energy": np.array([-10.0, -12.0, -8.0, -14.0]),
        "magnetization": m,
        "abs_magnetization": np.abs(m),
        "magnetization_2": m**2,
        "magnetization_4": m**4,
        "correlator_zero": 16 * m**2,
        "correlator_min": np.array([1.0, 2.0, 0.5, 1.5]),
    }
    return xr.Dataset({name: ("draw", value) for name, value in columns.items()}, attrs=ATTRS | attrs)


def values_of(data):
    primaries = read_primaries(data, ("draw",))
    return {
        k: float(v) for k, v in derived(primaries, primaries.means(primaries.columns.mean(axis=1))).items()
    }


def test_definitions_without_symmetry():
    values = values_of(samples())
    m = samples()["magnetization"].values
    ratio = 16 * m.var() / 1.25
    assert values["energy"] == -11.0
    assert values["specific_heat"] == pytest.approx(0.25 * 5.0 / 16)
    assert values["magnetization"] == m.mean()
    assert values["susceptibility"] == pytest.approx(0.5 * 16 * m.var())
    assert values["binder_cumulant"] == pytest.approx(1 - (m**4).mean() / (3 * (m**2).mean() ** 2))
    assert values["correlation_length"] == pytest.approx(np.sqrt(ratio - 1) / (2 * np.sin(np.pi / 4)))
    assert "phi2" not in values
    assert set(values) < set(ESTIMATES)


def test_definitions_with_symmetry_take_the_mean_as_zero():
    values = values_of(samples(z2_symmetric=1))
    m2 = (samples()["magnetization"].values ** 2).mean()
    assert values["magnetization"] == 0.0
    assert values["susceptibility"] == pytest.approx(0.5 * 16 * m2)
    assert values["correlation_length"] == pytest.approx(
        np.sqrt(16 * m2 / 1.25 - 1) / (2 * np.sin(np.pi / 4))
    )


def test_correlation_length_is_the_mean_over_axes_that_differ():
    data = samples(z2_symmetric=1, lattice_momenta=[0.5, 1.5, 0.5])
    for axis, factor in (("x", 1.0), ("y", 2.0), ("z", 0.8)):
        data[f"correlator_min_{axis}"] = data["correlator_min"] / 3 * factor
    zero, lowest = float(data["correlator_zero"].mean()), float(data["correlator_min"].mean()) / 3
    xz, y = np.sqrt(zero / (0.9 * lowest) - 1) / 0.5, np.sqrt(zero / (2 * lowest) - 1) / 1.5
    assert values_of(data)["correlation_length"] == pytest.approx((2 * xz + y) / 3, rel=1e-12)
    del data["correlator_min_y"]
    assert np.isnan(values_of(data)["correlation_length"])


@pytest.mark.parametrize(
    ("about", "known"),
    [
        ({"lattice": "square", "extent": [4, 4]}, True),
        ({"lattice": "square", "extent": [8, 2]}, False),
        ({"lattice": "triangular", "extent": [4, 4]}, False),
    ],
)
def test_files_from_before_the_momenta_were_stored_have_a_length_where_the_linear_size_says_it(about, known):
    plain, old = values_of(samples(z2_symmetric=1)), values_of(samples(z2_symmetric=1, **about))
    assert np.isnan(old["correlation_length"]) != known
    assert not known or old["correlation_length"] == plain["correlation_length"]


def test_correlation_length_below_its_range_is_nan():
    data = samples()
    data["correlator_min"] = data["correlator_min"] * 100
    assert np.isnan(values_of(data)["correlation_length"])
    data["correlator_min"] = data["correlator_min"] * 0
    assert np.isnan(values_of(data)["correlation_length"])


def test_specific_heat_keeps_its_digits_far_from_zero_energy():
    data = samples()
    data["energy"] = data["energy"] - 1e8
    assert values_of(data)["specific_heat"] == pytest.approx(0.25 * 5.0 / 16, rel=1e-12)


@pytest.mark.parametrize("z2", [0, 1])
def test_gradients_are_finite_differences(z2):
    primaries = read_primaries(samples(z2_symmetric=z2), ("draw",))
    means = primaries.columns.mean(axis=1)
    _, gradients = gradient(primaries, means)
    step = 1e-6
    for k in range(len(means)):
        shift = step * np.eye(len(means))[k]
        up, down = (derived(primaries, primaries.means(means + sign * shift)) for sign in (1, -1))
        for name, slope in gradients.items():
            assert slope[k] == pytest.approx((up[name] - down[name]) / (2 * step), rel=1e-5, abs=1e-5), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_attrs(), "missing .'beta'"),
        (lambda d: d.drop_vars(list(d.data_vars)), "at least one of"),
        (lambda d: d.assign(energy=d.energy.where(d.energy < -9)), "energy must be finite .* 1 of 4"),
        (lambda d: d.rename(draw="step"), "energy must have the dims"),
    ],
)
def test_unusable_samples_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        read_primaries(change(samples()), ("draw",))


def test_squares_of_beta_beyond_float64_are_no_number():
    """At 1/beta = 1e-300 the variance of a frozen system is zero, and the specific heat 0 times infinity."""
    samples = xr.Dataset(
        {"energy": (("chain", "draw"), np.full((1, 20), -4.0))},
        attrs={"beta": 1e300, "n_sites": 4, "linear_size": 4.0, "z2_symmetric": 0},
    )
    primaries = read_primaries(samples, ("chain", "draw"))
    means = dict(zip(primaries.names, primaries.columns.mean((1, 2)), strict=True))
    assert np.isnan(derived(primaries, means)["specific_heat"])
