# SPDX-License-Identifier: MIT
"""Trials and invariants of a growing cluster: normalisers by quadrature, and all symmetries."""

from __future__ import annotations

import functools
from itertools import pairwise

import numpy as np
import pytest
from helpers.stats import assert_off, assert_z
from numpy.polynomial.legendre import leggauss

from edgphys.edg.growth.features import N_FEATURES, fill_features
from edgphys.edg.growth.trials import _part_below, _radius, draw_trials
from edgphys.mcmc.random.xoshiro import new_state

EDGES = np.concatenate([[0.0], np.geomspace(0.01, 2.0, 15)])
PLACED = {
    1: np.array([[0.0], [0.8], [-0.9]]),
    2: np.array([[0.0, 0.0], [0.8, 0.0], [0.1, 0.9]]),
    3: np.array([[0.0, 0.0, 0.0], [0.8, 0.0, 0.0], [0.1, 0.9, 0.2]]),
}
CONTACT = np.concatenate([[0.0], np.cumsum(np.array([0.1, 0.5, 0.3, 0.1]))])


def radial_law(heights):
    """Cumulative and log-density at EDGES of a log-linear law with an exponential tail, normalised."""
    widths, f = np.diff(EDGES), np.exp(heights)
    masses = widths * (f[1:] - f[:-1]) / np.diff(heights)
    total = masses.sum() + f[-1] * 0.25 * EDGES[-1]
    return np.concatenate([[0.0], np.cumsum(masses / total)]), heights - np.log(total)


RADIAL = radial_law(np.linspace(0.3, -2.0, len(EDGES)) + 0.1 * np.sin(np.arange(len(EDGES))))


def pair_law(strength):
    r = np.linspace(0.0, 12.0, 4001)
    return np.minimum(strength * (0.3 / np.maximum(r, 1e-3) ** 3 - 1.0 / (1.0 + r)), 50.0), r[1]


def drawn(n_axes, strength, n_rows, n_trials, seed, picks, given=False, contact=CONTACT):
    """The mean of a of every row, and energies of the picks."""
    law, spacing = pair_law(strength)
    energies = np.empty(picks.shape[:2])
    log_a = draw_trials(
        np.repeat(PLACED[n_axes][None], n_rows, 0),
        np.full(n_rows, 3),
        np.full(n_rows, np.linalg.norm(PLACED[n_axes][-1])),
        tuple(np.repeat(one[None], n_rows, 0) for one in RADIAL),
        np.repeat(EDGES[None], 3, 0),
        np.full(n_rows, n_trials),
        (law, 1.0 / spacing, law.min()),
        (contact, 0.5, 1.0 / 0.3),
        given,
        new_state(np.random.SeedSequence(seed)),
        picks,
        energies,
    )
    return np.exp(log_a), energies


def mean_a(n_axes, strength, n_rows=400, n_trials=50, contact=CONTACT, seed=0):
    """Mean over the rows of the mean of a, and its error."""
    picks = np.empty((n_rows, 2, n_axes))
    a, _ = drawn(n_axes, strength, n_rows, n_trials, seed, picks, contact=contact)
    return a.mean(), a.std() / n_rows**0.5


def by_quadrature(n_axes, strength):
    """int dr rho(r) int dn exp(-e(r n)), the sum over directions in one dimension."""
    placed, (law, spacing) = PLACED[n_axes], pair_law(strength)
    nodes, weights = leggauss(6)
    pieces = list(pairwise(EDGES))
    pieces += [(EDGES[-1] + 0.5 * k, EDGES[-1] + 0.5 * (k + 1)) for k in range(30)]
    steps = np.concatenate([0.5 * (b - a) * nodes + 0.5 * (a + b) for a, b in pieces])
    step_weights = np.concatenate([0.5 * (b - a) * weights for a, b in pieces])
    inner = np.interp(steps, EDGES, RADIAL[1])
    log_rho = np.where(steps < EDGES[-1], inner, RADIAL[1][-1] - (steps - EDGES[-1]) / (0.25 * EDGES[-1]))
    directions, share = sphere(n_axes)
    r = np.linalg.norm(placed[-1]) + steps
    points = r[:, None, None] * directions
    distances = np.linalg.norm(points[:, :, None] - placed, axis=3)
    e = np.interp(distances, np.arange(len(law)) * spacing, law).sum(2)
    return float((step_weights * np.exp(log_rho) * (np.exp(-e) * share).sum(1)).sum())


def sphere(n_axes):
    """Directions and their shares of the solid angle."""
    if n_axes == 1:
        return np.array([[1.0], [-1.0]]), np.ones(2)
    angle = 2.0 * np.pi * np.arange(60) / 60
    if n_axes == 2:
        return np.stack([np.cos(angle), np.sin(angle)], 1), np.full(60, 2.0 * np.pi / 60)
    z, w = leggauss(24)
    across = np.sqrt(1.0 - z * z)[:, None]
    x = np.stack([across * np.cos(angle), across * np.sin(angle), np.broadcast_to(z[:, None], (24, 60))], 2)
    return x.reshape(-1, 3), np.repeat(w, 60) * 2.0 * np.pi / 60


@pytest.mark.statistical
@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_the_mean_of_a_is_the_normaliser(n_axes, strength):
    mean, err = mean_a(n_axes, strength)
    exact = by_quadrature(n_axes, strength)
    if n_axes == 1 and not strength:  # uniform directions without energy: nothing is random
        assert mean == pytest.approx(exact, rel=1e-9)
        return
    assert_z(mean, err, exact, n_tests=5, max_err=0.02 * exact)
    if strength:
        assert_off(mean, err, by_quadrature(n_axes, 1.1), least=5.0, max_err=0.02 * exact)


def test_parts_below_steps_are_those_steps_are_drawn_by():
    heights = RADIAL[1].copy()
    heights[4] = heights[3]  # an even piece
    cumulative, log_density = radial_law(heights + 1e-9 * np.arange(len(heights)))
    parts = np.concatenate([np.linspace(0.0, 0.999, 400), cumulative[:-1]])
    steps = np.array([_radius(cumulative, log_density, EDGES, 0.7, u) - 0.7 for u in parts])
    again = [_part_below(cumulative, log_density, EDGES, step) for step in steps]
    np.testing.assert_allclose(again, parts, atol=1e-12)
    assert steps.max() > EDGES[-1]
    order = np.argsort(parts)
    assert (np.diff(steps[order]) >= 0.0).all()


@pytest.mark.statistical
def test_trials_around_a_position_that_was_picked_are_as_those_it_was_picked_from():
    """Weighed by the mean of a, trials drawn anew around a pick leave the law of all of them as it is."""
    rows = 6000

    def check(found, values, exact):
        found(float(values.mean()), float(values.std() / rows**0.5), exact, max_err=0.1)

    picks, each = np.empty((rows, 5, 3)), np.arange(rows)
    a, energies = drawn(3, 1.0, rows, 12, 1, picks)
    again = picks.copy()
    again[:, 0] = picks[each, each % 5]
    b, seen = drawn(3, 1.0, rows, 12, 2, again, given=True)
    np.testing.assert_allclose(seen[:, 0], energies[each, each % 5], rtol=1e-12)
    np.testing.assert_array_equal(again[:, 0], picks[each, each % 5])
    expect = functools.partial(assert_z, n_tests=3)
    check(expect, a / b, 1.0)
    for power in (1, 2):
        change = a * ((seen**power).mean(1) - (energies**power).mean(1))
        check(expect, change / (a * (energies**power).mean(1)).std(), 0.0)
    wrong = again.copy()
    check(
        functools.partial(assert_off, least=5.0), a / drawn(3, 1.15, rows, 12, 2, wrong, given=True)[0], 1.0
    )


def test_contacts_out_of_reach_are_uniform():
    far = np.concatenate([np.zeros(4), [1.0]])
    mean, err = mean_a(2, 0.0, contact=far)
    assert_z(mean, err, 2.0 * np.pi, max_err=0.1)


def test_the_same_seed_draws_the_same():
    assert mean_a(3, 1.0, seed=4) == mean_a(3, 1.0, seed=4) != mean_a(3, 1.0, seed=5)


def features(placed, points, n_placed):
    rows = np.repeat(placed[None], 2, 0)
    out = np.empty((2, points.shape[0], N_FEATURES), dtype=np.float32)
    energies = np.linspace(-3.0, 30.0, 2 * len(points)).reshape(2, -1)
    ranges, maps = np.array([0.5, 4.0, 1.2]), np.repeat(np.linspace(0.0, 1.0, 9)[None] ** 2, 3, 0)
    fill_features(
        rows,
        np.full(2, n_placed),
        np.full(2, 1.0),
        np.repeat(points[None], 2, 0),
        energies,
        ranges,
        maps,
        np.zeros((6, N_FEATURES), dtype=np.float32),
        np.ones((6, N_FEATURES), dtype=np.float32),
        out,
    )
    return out


@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_features_have_all_symmetries(n_axes):
    rng = np.random.default_rng(2)
    placed, points = rng.standard_normal((7, n_axes)), 1.5 * rng.standard_normal((5, n_axes))
    placed[0] = 0.0
    before = features(placed, points, 6)
    rotation = np.linalg.qr(rng.standard_normal((n_axes, n_axes)))[0]
    np.testing.assert_allclose(features(placed @ rotation, points @ rotation, 6), before, atol=2e-6)
    order = [0, 3, 1, 5, 2, 4, 6]
    np.testing.assert_allclose(features(placed[order], points, 6), before, atol=2e-6)
    np.testing.assert_array_equal(features(placed, points, 6), before)
    # A particle that is not placed is not looked at; another position is told apart.
    placed[6] += 1.0
    np.testing.assert_array_equal(features(placed, points, 6), before)
    placed[2] *= 1.1
    assert np.abs(features(placed, points, 6) - before).max() > 1e-3
