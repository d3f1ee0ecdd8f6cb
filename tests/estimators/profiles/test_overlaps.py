# SPDX-License-Identifier: MIT
"""Overlap of replicas: its moments by hand, and pairs of chains that do not agree."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import edgphys as ep
import lattices

SYSTEM = ep.Ising(lattices.build("chain", (16,)), temperature=2.0)


def draws(spins):
    attrs = {**SYSTEM.attrs(), "kind": "samples", "schema_version": 1, "method": "test", "seed": 0}
    return xr.Dataset({"configurations": (("chain", "draw", "x"), spins)}, attrs=attrs)


def independent(n_chains, rng):
    return rng.choice([-1.0, 1.0], (n_chains, 2000, 16))


def test_moments_are_those_of_pairs_of_chains_draw_by_draw():
    spins = independent(5, np.random.default_rng(1))
    found = ep.overlap(draws(spins), [0.0, 0.3, 1.0])
    q = (spins[[0, 2]] * spins[[1, 3]]).mean(axis=2)  # the last has no partner
    for power, name in ((2, "overlap_2"), (4, "overlap_4")):
        np.testing.assert_allclose(found[name], (q**power).mean(), rtol=1e-12)
    np.testing.assert_allclose(found["density"] * [0.3, 0.7], [(abs(q) < 0.3).mean(), (abs(q) >= 0.3).mean()])
    # of independent spins <q^2> = 1/16 and <q^4> = (3 - 2/16) / 256
    assert abs(found["overlap_2"] - 1 / 16) < 4 * found["overlap_2_err"] < 0.01
    assert abs(found["overlap_binder"] - 1 / 16) < 4 * found["overlap_binder_err"] < 0.2
    assert found.attrs["warning"] == ""


def test_pairs_that_disagree_are_not_trusted():
    spins = independent(4, np.random.default_rng(2))
    spins[2] = spins[3]
    found = ep.overlap(draws(spins))
    assert "r_hat" in found.attrs["warning"] and float(found["converged"]) == 0.0


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (draws(np.ones((1, 9, 16))), "at least two chains, got 1 chains"),
        (draws(np.full((2, 9, 16), 0.5)), r"must hold spins \+1 and -1"),
    ],
)
def test_wrong_draws_are_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        ep.overlap(samples)
