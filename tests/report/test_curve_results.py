# SPDX-License-Identifier: MIT
"""Tables and pictures of curves: what they show, and beside which exact results."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

import edgphys as ep
import lattices
from edgphys.dataset import validate
from edgphys.errors import UnknownNameError
from edgphys.estimators.curves.curve_dataset import curve_dataset
from edgphys.estimators.curves.curve_estimates import CurveValues
from edgphys.estimators.curves.nodes import NodeCheck
from edgphys.report.curve_results import as_scan
from edgphys.report.text import print_dataset
from edgphys.systems import sample_attrs

SYSTEM = ep.Ising(lattices.build("square", (3, 3)), temperature=2.0)
NAMES = ("log_z", "free_energy", "energy", "specific_heat", "magnetization")


def made_up(n=45, z=1.0, **attrs):
    """A curve that is off the exact results by `z` errors."""
    temperatures = np.linspace(1.8, 3.2, n)
    exact = [SYSTEM.replace(temperature=t).exact_results() for t in temperatures]
    values = {name: np.array([one[name] for one in exact]) + 0.01 * z for name in NAMES}
    values |= {f"{name}_err": np.full(n, 0.01) for name in NAMES}
    values |= {"ess": np.full(n, 0.5), "reliable": np.ones(n)}
    found = CurveValues(values, {"log_z": 1e-4 * np.eye(n)}, [[] for _ in temperatures])
    check = NodeCheck(
        {"log_z_node_deviation": np.array([0.5, -1.2])}, {"derivative_deviation": np.ones(1)}, 1.0
    )
    about = dict(method="edg", seed=1, wall_time=0.0, settings={}, n_energy_calls=0, n_gradient_calls=0)
    own = sample_attrs(SYSTEM, **about)
    del own["temperature"], own["beta"]
    own["parameters"] = json.dumps({"coupling": 1.0, "field": 0.0})
    made = curve_dataset("temperature", temperatures, np.array([1.8, 3.2]), found, check, own | attrs)
    validate(made)
    return made


def printed(curve, variables=None):
    out = io.StringIO()
    print_dataset(curve, variables, console=Console(file=out, width=160))
    return out.getvalue()


def test_some_values_stand_with_z_against_exact():
    lines = printed(made_up(z=2.0)).splitlines()
    header = next(line.split() for line in lines if "log_z" in line)
    assert header == "temperature log_z z free_energy z energy z specific_heat z ess".split()
    rows = [line.split() for line in lines if line.strip()[:1].isdigit()]
    assert len(rows) == 11 and (rows[0][0], rows[-1][0]) == ("1.8", "3.2")
    assert all(row[2::2][:4] == ["+2.0"] * 4 and row[-1] == "0.500" for row in rows)
    check = next(line for line in lines if line.startswith("Draws from"))
    assert (
        check.startswith("Draws from 2 nodes.")
        and "at most 1.2 errors, its slopes between nodes by 1.0" in check
    )


def test_variables_are_chosen_and_an_unknown_one_is_named():
    assert "specific_heat" not in printed(made_up(), ["energy"])
    with pytest.raises(UnknownNameError, match=r"variables must be among log_z, .*, got 'nonsense'"):
        printed(made_up(), ["nonsense"])


def test_a_system_of_ones_own_has_no_exact_results_beside_it():
    own = made_up(system="mine")
    assert " z " not in printed(own) and as_scan(own)["method"].values.tolist() == ["edg"]


def test_a_warning_is_shown():
    assert "NOT TRUSTED: somewhere: weights" in printed(made_up().assign_attrs(warning="somewhere: weights"))


def test_the_picture_has_bands_and_smooth_exact_lines(tmp_path):
    curve = made_up()
    figure = ep.plot(curve, ["energy", "specific_heat"], path=tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 10_000
    upper, lower = figure.subfigs[0].axes
    exact, own = (line.get_xydata() for line in upper.lines[:2])
    assert len(exact) > 45 and len(own) == 45 and len(upper.collections) == 1
    np.testing.assert_allclose(own[:, 1], curve["energy"] / 9)
    np.testing.assert_allclose(np.interp(own[:, 0], *exact.T), (curve["energy"] - 0.01) / 9, rtol=1e-9)
    assert not upper.containers  # no markers on so many points
    residuals = max(lower.lines, key=lambda line: len(line.get_xdata())).get_xydata()
    np.testing.assert_allclose(residuals[:, 1], 1.0, rtol=1e-6)


def test_values_that_failed_are_open_markers():
    curve = made_up()
    curve["reliable"][7] = 0.0
    upper, _ = ep.plot(curve, ["energy"]).subfigs[0].axes
    (container,) = upper.containers
    assert container.lines[0].get_xydata()[:, 0] == [curve["temperature"].values[7]]
    assert container.lines[0].get_markerfacecolor() == "white"
