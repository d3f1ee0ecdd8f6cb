# SPDX-License-Identifier: MIT
"""Curves of a sampler with conditions: exact along every coupling, written and read; what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from helpers.curves import EnumeratedIsing, GaussianPhi4, StandIn, exact_curve, square
from helpers.stats import assert_z

import edgphys as ep
import lattices
from edgphys import dataset
from edgphys.edg.curve import draw_curve
from edgphys.errors import ArgumentTypeError, ArgumentValueError, DatasetError

TEMPERATURES = (1.8, 2.0, 2.3, 2.9, 3.2)


def family(conditions=None, **options):
    conditions = {"temperature": (1.5, 3.5)} if conditions is None else conditions
    return StandIn(square(2.3), conditions, EnumeratedIsing(**{"noise": 0.2} | options))


def curve(edg, values, n_samples=1600, seed=1, n_nodes=8, **options):
    return draw_curve(edg, values, n_samples, seed, n_nodes=n_nodes, options=options, progress=False)


@pytest.mark.statistical
def test_temperatures():
    made = curve(family(), TEMPERATURES, 4000)
    for name, max_err in (("log_z", 0.03), ("energy", 0.3), ("specific_heat", 0.05), ("susceptibility", 0.1)):
        exact = exact_curve(name, TEMPERATURES)
        for value, err, known in zip(made[name].values, made[f"{name}_err"].values, exact, strict=True):
            assert_z(value, err, known, n_tests=20, max_err=max_err)
    assert (made["reliable"] == 1).all() and made.attrs["warning"] == ""


@pytest.mark.statistical
def test_a_field_of_several_conditions():
    edg = family({"temperature": (1.5, 3.5), "field": (-0.2, 0.2)})
    made = curve(edg, {"field": [0.0, 0.05, 0.15]})
    for value in made["field"].values:
        exact = square(2.3, float(value)).exact_results()
        for name in ("log_z", "energy", "magnetization", "abs_magnetization"):
            one = made.sel(field=value)
            if name == "magnetization" and value == 0.0:
                assert float(one[name]) == float(one[f"{name}_err"]) == 0.0
                continue
            assert_z(float(one[name]), float(one[f"{name}_err"]), exact[name], n_tests=12, max_err=0.5)
    assert made.attrs["temperature"] == 2.3 and made.attrs["z2_symmetric"] == 0


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["quadratic", "hop"])
def test_couplings_of_a_field_theory(name):
    system = ep.Phi4(lattices.build("chain", (4,)), hop=0.2, quadratic=1.0, quartic=0.0)
    low, high = {"quadratic": (0.8, 1.4), "hop": (0.0, 0.3)}[name]
    made = curve(StandIn(system, {name: (low, high)}, GaussianPhi4()), np.linspace(low, high, 4))
    for value in made[name].values:
        exact = system.replace(**{name: float(value)}).exact_results()
        for result in ("log_z", "energy", "phi2", "susceptibility"):
            one = made.sel({name: value})
            difference, err = float(one[result]) - exact[result], float(one[f"{result}_err"])
            assert abs(difference) < 4.5 * err, (value, result, difference, err)


def test_a_curve_is_written_read_and_says_what_it_is(tmp_path):
    edg = family()
    made = curve(edg, [3.0, 1.8, 1.8, 2.2], 330, n_views=4)
    assert made["temperature"].values.tolist() == [1.8, 2.2, 3.0]
    again = dataset.read(dataset.write(made, tmp_path / "curve.nc"))
    xr.testing.assert_identical(again.drop_attrs(), made.drop_attrs())
    assert made.attrs["kind"] == "curve" and json.loads(made.attrs["couplings"]) == ["temperature"]
    assert json.loads(made.attrs["parameters"]) == {"coupling": 1.0, "field": 0.0}
    assert "temperature" not in made.attrs and made.attrs["n_energy_calls"] == 328
    settings = json.loads(made.attrs["settings"])
    assert (settings["n_samples"], settings["n_nodes"], settings["n_views"]) == (328, 8, 4)
    nodes = made["temperature_node"].values
    assert (nodes[0], nodes[-1], len(nodes)) == (1.8, 3.0, 8)
    np.testing.assert_allclose(np.diff(1.0 / nodes), (1 / 3.0 - 1 / 1.8) / 7)
    assert all("definition" in variable.attrs for variable in made.data_vars.values())
    xr.testing.assert_identical(made.drop_attrs(), curve(edg, [1.8, 2.2, 3.0], 330, n_views=4).drop_attrs())


def test_one_value_is_one_node(tmp_path):
    made = curve(family(), [2.3], 200)
    assert made.sizes["temperature_node"] == 1 and made.sizes["temperature_between"] == 0
    assert float(made["log_z"][0]) == pytest.approx(float(made["log_z_node"][0]), rel=1e-12)
    dataset.read(dataset.write(made, tmp_path / "one.nc"))


def test_weights_that_ignore_the_coupling_are_not_trusted():
    made = curve(family(ignores=square(2.3)), TEMPERATURES)
    assert "own weights and by the energies of all draws differ beyond chance" in made.attrs["warning"]


def test_values_without_enough_draws_are_named():
    made = curve(family(noise=1.5), np.linspace(1.8, 3.2, 7), 160)
    assert made.attrs["warning"].startswith("temperature 1.8 to 3.2 (7 of 7 values): effective sample size")
    assert not made["reliable"].any()


TWO = {"temperature": (1.5, 3.5), "field": (-0.2, 0.2)}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"values": [1.0, 2.0]}, ArgumentValueError, r"temperature must be in \[1.5, 3.5\], .* got 1$"),
        ({"values": []}, ArgumentValueError, "values must be a non-empty array of finite values of temp"),
        ({"values": [2.0, np.nan]}, ArgumentValueError, "values must be a non-empty array of finite"),
        ({"values": [[2.0, 2.1]]}, ArgumentValueError, "values must be a non-empty array of finite"),
        ({"values": "2.0"}, ArgumentTypeError, "values must be a non-empty array of finite values"),
        ({"values": {"field": [0.1]}}, ArgumentValueError, "a dict of one of temperature to an array, got f"),
        (
            {"edg": family({})},
            ArgumentValueError,
            "values need a sampler with conditions, .* got one without",
        ),
        ({"edg": family(TWO)}, ArgumentValueError, "a dict of one of temperature, field .* got an array"),
        ({"n_samples": 127}, ArgumentValueError, "n_samples must be an integer >= 128, got 127"),
        ({"n_nodes": 0}, ArgumentValueError, "n_nodes must be an integer >= 1, got 0"),
        ({"seed": -1}, ArgumentValueError, "seed must be an integer >= 0, got -1"),
    ],
)
def test_bad_input_is_one_line(change, error, message):
    given = {"edg": family(), "values": [2.0, 2.5]} | change
    with pytest.raises(error, match=message) as caught:
        curve(**given)
    assert "\n" not in str(caught.value)


def test_the_schema_of_a_curve():
    made = curve(family(), [2.0, 2.5], 200)
    for wrong, message in (
        (made.drop_vars("temperature_node"), "curve must have the dimension and coordinate temperature_node"),
        (made.assign(other=("draw", [1.0])), r"variable other must have the dims \('temperature',\)"),
        (made.assign_attrs(couplings='["a", "b"]'), "attr couplings of kind curve must name one coupling"),
    ):
        with pytest.raises(DatasetError, match=message):
            dataset.validate(wrong)
