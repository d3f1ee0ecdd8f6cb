# SPDX-License-Identifier: MIT
"""Frozen observables beside a log Z that passes its tests are blank, with the reason; the rest is as ever."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr

import edgphys as ep
import lattices
from edgphys.estimators.estimate import estimate, estimate_beside_log_z

ATTRS = {"temperature": 1.0, "beta": 1.0, "n_sites": 4, "linear_size": 2.0, "z2_symmetric": 1}


def chains(energy=None, phi2=None, n=500):
    rng = np.random.default_rng(0)
    columns = {"energy": energy, "phi2": phi2, "abs_magnetization": None, "magnetization_2": None}
    moving = np.abs(rng.standard_normal((4, n)))
    columns |= {"abs_magnetization": moving, "magnetization_2": moving**2}
    columns = {k: rng.standard_normal((4, n)) if v is None else v for k, v in columns.items()}
    return xr.Dataset({k: (("chain", "draw"), v) for k, v in columns.items()}, attrs=ATTRS)


def test_only_what_is_made_of_frozen_columns_is_blank():
    frozen = chains(energy=np.full((4, 500), -8.0))
    plain, beside = estimate(frozen), estimate_beside_log_z(frozen)
    assert plain["converged"] == 0.0 and plain.attrs["warning"] == "no fluctuation seen in energy"
    assert beside["converged"] == 1.0 and beside.attrs["warning"] == ""
    assert beside.attrs["blank"] == "no fluctuation seen in energy"
    for name in ("energy", "specific_heat"):
        assert math.isnan(beside[name]) and math.isnan(beside[f"{name}_err"])
    for name in ("phi2", "phi2_err", "abs_magnetization", "susceptibility", "susceptibility_err"):
        assert float(beside[name]) == float(plain[name])


def test_an_error_of_few_draws_is_blank_and_all_that_ranks_as_it_does():
    rare = np.ones((4, 500))
    rare[range(4), (50, 180, 310, 400)] = 0.5
    few = chains().assign(abs_magnetization=(("chain", "draw"), rare))
    few = few.assign(magnetization_2=few["abs_magnetization"] ** 2)
    assert estimate(few)["converged"] == 0.0
    table = estimate_beside_log_z(few)
    assert table["converged"] == 1.0 and "fewer than 10 draws" in table.attrs["blank"]
    assert math.isnan(table["abs_magnetization"]) and math.isnan(table["susceptibility"])
    assert np.isfinite(table["energy_err"])


def test_nothing_else_is_forgiven():
    """Controls: chains that disagree are not converged, frozen or not; those without fault are unchanged."""
    apart = chains(energy=np.full((4, 500), -8.0), phi2=np.random.default_rng(1).standard_normal((4, 500)))
    apart = apart.assign(phi2=apart["phi2"] + xr.DataArray(np.arange(4.0), dims="chain"))
    table = estimate_beside_log_z(apart)
    assert table["converged"] == 0.0 and "r_hat" in table.attrs["warning"] and "blank" not in table.attrs
    xr.testing.assert_equal(estimate_beside_log_z(chains()), estimate(chains()))


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("method", ["mbar", "ti"])
def test_log_z_of_a_frozen_lattice_is_trusted_and_its_energy_blank(method):
    system = ep.Ising(lattices.build("square", (8, 8)), temperature=0.5)
    table = ep.free_energy(system, method, seed=1, n_sweeps=2000)
    z = (float(table["log_z"]) - system.exact_results()["log_z"]) / float(table["log_z_err"])
    assert table["converged"] == 1.0 and abs(z) < 4.0 and "no fluctuation seen" in table.attrs["blank"]
    assert math.isnan(table["energy"]) and math.isnan(table["entropy"])
    # Without swaps, or where rungs do not overlap, frozen chains may have missed what log_z needs.
    for options in ({"swap": False}, {"n_rungs": 3}):
        table = ep.free_energy(system, method, seed=1, n_sweeps=2000, **options)
        assert table["converged"] == 0.0 and table.attrs["warning"] and "blank" not in table.attrs
