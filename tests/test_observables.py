# SPDX-License-Identifier: MIT
"""One record for each name: systems, estimates and tables say the same of it, and a new name is not lost."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

import edgphys as ep
import lattices
from edgphys.estimators import estimates_from_exact
from edgphys.observables import DIAGNOSTICS, ESTIMATES, TABLE, definitions, ordered, record
from edgphys.report.text import print_dataset


def test_every_name_has_one_record_with_words():
    assert {*ESTIMATES, *DIAGNOSTICS} <= set(TABLE)
    for name, each in TABLE.items():
        assert each.name == name and each.definition and each.title and each.symbol, name
        assert each.role in (
            "estimate",
            "own",
            "primary",
            "diagnostic",
            "ladder",
            "bridge",
            "cost",
            "staggered",
        ), name
        assert each.scale in ("total", "per site", "intensive"), name


@pytest.mark.parametrize(
    ("system", "on_lattice"),
    [
        (ep.Ising(lattices.build("square", (3, 3)), temperature=2.0), True),
        (ep.Phi4(lattices.build("square", (3, 3)), kappa=0.2, lam=0.1), True),
        (ep.DoubleWell(), False),
        (ep.LennardJones(3), False),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_systems_have_the_words_of_the_table(system, on_lattice):
    """Only what depends on the Hamiltonian itself has words of its own."""
    shared = {"specific_heat", "susceptibility", "binder_cumulant", "correlation_length", "free_energy"}
    names = [name for name in system.definitions if name in shared]
    assert {"specific_heat", "free_energy"} <= set(names)
    assert definitions(names, on_lattice=on_lattice) == {name: system.definitions[name] for name in names}


def test_a_definition_of_the_dataset_goes_before_the_table():
    attrs = {"definitions": json.dumps({"energy": "my own"})}
    assert record("energy", attrs).definition == "my own" and record("energy", {}).definition != "my own"


def test_an_unknown_result_is_shown_after_the_others():
    known = estimates_from_exact(
        {"log_z": 1.0, "energy": -2.0},
        {"temperature": 1.0, "system": "mine", "parameters": "{}", "definitions": "{}", "n_variables": 1},
    )
    table = known.assign(bond_length=((), 1.25), bond_length_err=((), 0.01))
    out = io.StringIO()
    print_dataset(table, console=Console(file=out, width=120))
    lines = [line.split()[0] for line in out.getvalue().splitlines() if line.split()]
    assert lines.index("bond_length") > lines.index("energy") and "elbo" not in lines
    assert "1.250(10)" in out.getvalue()


def test_an_unknown_result_of_a_scan_is_shown():
    values = np.array([[1.0, 2.0]])
    dims = ("method", "temperature")
    table = xr.Dataset(
        {"energy": (dims, values), "energy_err": (dims, 0.1 * values)}
        | {"bond_length": (dims, values), "bond_length_err": (dims, 0.1 * values)},
        coords={"method": ["mine"], "temperature": [1.0, 2.0]},
        attrs={"kind": "scan", "system": "mine", "parameters": "{}", "couplings": '["temperature"]'},
    )
    out = io.StringIO()
    print_dataset(table, console=Console(file=out, width=120))
    assert "bond_length" in out.getvalue()
    assert ordered(table.data_vars, table.attrs)[:2] == ["energy", "bond_length"]
