# SPDX-License-Identifier: MIT
"""Cluster moves of two replicas: what they conserve, exactness on a glass, and a rule that is wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from helpers.stats import assert_off, assert_z

import edgphys as ep
import lattices
from edgphys import mcmc
from edgphys.errors import ArgumentValueError, NotExactError
from edgphys.mcmc.core.layout import make_layout
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.mcmc.tempering import houdayer

LATTICE = lattices.build("square", (3, 3))
GLASS = ep.Ising(LATTICE, 0.9, lattices.random_bonds(LATTICE, "gaussian", seed=4), np.linspace(-0.2, 0.3, 9))


def exact(system):
    """<E>, <q^2> and <q^4> of two replicas, and the law of |q|, by enumeration."""
    states = np.array(list(itertools.product((-1.0, 1.0), repeat=system.n_sites)))
    energy = system.energy(states)
    p = np.exp(-energy / system.temperature)
    p /= p.sum()
    q = states @ states.T / system.n_sites
    return {"energy": p @ energy, "overlap": p @ q @ p, "overlap_2": p @ q**2 @ p, "overlap_4": p @ q**4 @ p}


def test_an_exchange_keeps_sums_and_overlaps_and_comes_back():
    layout, rng = make_layout(LATTICE), np.random.default_rng(0)
    sizes = set()
    for seed in range(50):
        pair = rng.choice([-1, 1], (2, 9)).astype(np.int8)
        a, b = (layout.store(one) for one in pair)
        size = houdayer.exchange_cluster(a, b, layout.neighbours, new_state(np.random.SeedSequence(seed)))
        after = np.empty_like(pair)
        after[:, layout.order] = np.stack([a[:-1], b[:-1]])
        assert GLASS.energy(after).sum() == pytest.approx(GLASS.energy(pair).sum())
        assert np.array_equal(pair[0] * pair[1], after[0] * after[1])
        assert (pair[0] != after[0]).sum() == size == (pair[1] != after[1]).sum()
        sizes.add(size)
    assert len(sizes) > 3
    assert (
        houdayer.exchange_cluster(a, a.copy(), layout.neighbours, new_state(np.random.SeedSequence(0))) == 0
    )


def ladder(n_sweeps, seed):
    given = {"temperature": [0.9, 1.5]}
    return mcmc.temper(
        GLASS, given, "heat_bath", n_chains=4, n_sweeps=n_sweeps, seed=seed, houdayer=True, keep=True
    )


@pytest.mark.slow
@pytest.mark.statistical
def test_both_replicas_of_every_rung_are_exact(monkeypatch):
    rule = houdayer.exchange_cluster

    def half(a, b, neighbours, rng):
        """Clusters that see half of their neighbours."""
        return rule(a, b, neighbours[:, :2].copy(), rng)

    for which in ("right", "wrong"):
        if which == "wrong":
            monkeypatch.setattr("edgphys.mcmc.tempering.ladder.exchange_cluster", half)
        found = mcmc.rung(ladder(8000, 1), temperature=0.9)
        known, table, q = exact(GLASS), ep.estimate(found), ep.overlap(found)
        rows = [(table["energy"], table["energy_err"], known["energy"])]
        rows += [(q[name], q[f"{name}_err"], known[name]) for name in ("overlap", "overlap_2", "overlap_4")]
        rows = [tuple(map(float, row)) for row in rows]
        if which == "right":
            for value, err, true in rows:
                assert_z(value, err, true, n_tests=4, max_err=0.05)
        else:
            value, err, true = rows[0]
            assert_off(value, err, true, least=6, max_err=0.05)


@pytest.mark.statistical
def test_a_ladder_of_pairs_is_a_ladder_with_overlaps():
    short = ladder(50, 2)
    assert dict(short.sizes) == {
        "temperature": 2,
        "chain": 4,
        "draw": 100,
        "x": 3,
        "y": 3,
        "term": 2,
        "pair": 1,
    }
    rung = mcmc.rung(short, temperature=1.5)
    spins = rung["configurations"].values.reshape(4, 50, 2, 9).astype(int)
    q = (spins[:, :, 0] * spins[:, :, 1]).mean(-1)
    np.testing.assert_allclose(rung["overlap"].values.reshape(4, 50, 2), np.stack([q, q], axis=-1))
    np.testing.assert_allclose(rung["energy"].values.ravel(), GLASS.energy(spins.reshape(-1, 9)))
    free = mcmc.temper(GLASS, {"temperature": [0.9, 1.5]}, "heat_bath", n_chains=4, n_sweeps=50, seed=2)
    assert "overlap" not in free and free.sizes["draw"] == 50


def test_overlaps_of_chains_are_those_of_their_pairs():
    spins = np.random.default_rng(1).choice([-1, 1], (5, 400, 3, 4)).astype(np.int8)
    chains = xr.Dataset({"configurations": (("chain", "draw", "x", "y"), spins)}, attrs={"kind": "samples"})
    found = ep.overlap(chains, bins=4)
    flat = spins.reshape(5, 400, 12).astype(float)
    q = np.einsum("cdi,cdi->cd", flat[:4:2], flat[1:4:2]) / 12
    assert float(found["overlap_2"]) == pytest.approx((q**2).mean())
    assert float(found["overlap_binder"]) == pytest.approx(1.5 - 0.5 * (q**4).mean() / (q**2).mean() ** 2)
    assert float((found["density"] * 0.25).sum()) == pytest.approx(1.0)
    assert_z(float(found["overlap_2"]), float(found["overlap_2_err"]), 1 / 12, max_err=0.02)
    with pytest.raises(ArgumentValueError, match="overlap, or configurations of at least two chains"):
        ep.overlap(chains.isel(chain=[0]))


def test_what_has_no_clusters_is_refused():
    plain = ep.Ising(LATTICE, 2.0)
    for system, algorithm, more in ((plain, "heat_bath", {}), (GLASS, "heat_bath", {"swap": False})):
        with pytest.raises(NotExactError, match="houdayer must be for"):
            options = {"n_sweeps": 10, "seed": 0, "houdayer": True} | more
            mcmc.temper(system, {"temperature": [1.0, 2.0]}, algorithm, **options)
