# SPDX-License-Identifier: MIT
"""``n_views="auto"``: the number of least cost times variance, from a pilot that leaves the draws alone."""

from __future__ import annotations

import functools
import json
import math

import pytest
import torch
from helpers.edg import jackknife_log_mean, mean_err
from helpers.own_systems import GaussianField
from helpers.samplers import SMALL_FIELD, trained_square
from helpers.stats import assert_z

import lattices
from edgphys import mcmc
from edgphys.edg import EDG
from edgphys.edg.weights import number_of_views
from edgphys.edg.weights.number_of_views import DEFAULT, best_number, relative_variances
from edgphys.edg.weights.views import harmonic_mean
from edgphys.systems import DoubleWell

N_SAMPLES = 1024


def sides(within, between, n=4000, seed=0):
    """log w = a of the draw + b of the side, Gaussian, with these variances.

    Sides drawn from N(0, 1) for draws made from N(m, 1), m^2 = within: log w = m^2 / 2 - m v.
    """
    like = {"generator": torch.Generator().manual_seed(seed), "dtype": torch.float64}
    a, v = between**0.5 * torch.randn(1, n, **like), torch.randn(16, n, **like)
    v[0] += within**0.5
    return a + 0.5 * within - within**0.5 * v


def mean_variance(of, n_views):
    """Mean over 40 pilots, with its error."""
    return mean_err(torch.tensor([relative_variances(of(seed))[n_views] for seed in range(40)]))


@pytest.mark.statistical
@pytest.mark.parametrize("n_views", [1, 2, 4, 8, 16])
def test_variances_are_those_of_the_weights(n_views):
    """That of w_1 is exp(within) - 1; the others against weights of other draws, of which Z = 1."""
    found, err = mean_variance(functools.partial(sides, 0.5, 0.0, 4000), n_views)
    weights = [harmonic_mean(sides(0.5, 0.0, 20_000, seed=100 + k)[:n_views]).exp() for k in range(20)]
    exact, exact_err = mean_err(torch.stack([(w - 1.0).square().mean() for w in weights]))
    if n_views == 1:
        exact, exact_err = math.expm1(0.5), 0.0
    assert_z(found, math.hypot(err, exact_err), exact, n_tests=5, max_err=0.003)


def test_a_first_side_that_is_drawn_like_the_others_is_caught():
    def alike(seed):
        return torch.cat([sides(0.5, 0.0, seed=100 + seed)[1:2], sides(0.5, 0.0, seed=seed)[1:]])

    found, err = mean_variance(alike, 1)
    assert abs(found - math.expm1(0.5)) > 8.0 * err


@pytest.mark.parametrize(
    ("within", "between", "allowed"),
    [
        (1.0, 0.0, (16,)),
        (0.5, 0.02, (4, 8)),
        (0.3, 0.1, (1, 2)),
        (0.1, 1.0, (1,)),
        (0.0, 0.5, (1,)),
        (1e-4, 0.0, (1,)),
    ],
)
def test_few_views_where_they_share_the_variance_and_many_where_they_do_not(within, between, allowed):
    assert best_number(sides(within, between)) in allowed


def test_a_pilot_of_a_few_effective_draws_decides_nothing():
    """All sides share what differs, which by itself says one view."""
    assert best_number(sides(0.0, 36.0, n=256)) == DEFAULT
    assert best_number(sides(0.0, 1.0, n=256)) == 1


def settings(samples):
    return json.loads(samples.attrs["settings"])


@functools.cache
def drawn(n_views, **options):
    return trained_square().sample(N_SAMPLES, 1, n_views=n_views, keep=True, progress=False, **options)


@pytest.mark.slow
def test_a_small_model_of_a_lattice_takes_many_views_and_the_same_number_every_time():
    one, auto = drawn(1), drawn("auto")
    n_views = settings(auto)["n_views"]
    assert n_views > 1 and settings(auto)["n_views_from"] == "pilot"
    again = trained_square().sample(N_SAMPLES, 1, keep=True, progress=False)
    assert auto.equals(again) and settings(again) == settings(auto)
    assert auto.equals(drawn(n_views)) and "n_views_from" not in settings(drawn(n_views))
    assert float(auto["log_weight_joint"].mean()) > float(one["log_weight_joint"].mean())


def test_energies_of_pilot_and_views_are_counted():
    n_views = settings(drawn("auto"))["n_views"]
    more = drawn("auto").attrs["n_energy_calls"] - drawn(1).attrs["n_energy_calls"]
    assert more == (n_views - 1) * N_SAMPLES + 16 * N_SAMPLES // 8


@pytest.mark.parametrize("n_views", [1, 8])
def test_draws_after_a_pilot_are_those_without(n_views, monkeypatch):
    monkeypatch.setattr(number_of_views, "best_number", lambda sides: n_views)
    auto = trained_square().sample(N_SAMPLES, 1, keep=True, batch_size=100, progress=False)
    assert settings(auto)["n_views_from"] == "pilot"
    assert auto.equals(drawn(n_views, batch_size=100))


def test_one_view_that_was_asked_for_leaves_no_trace():
    assert not {"n_views", "n_views_from"} & settings(drawn(1)).keys()


@pytest.mark.statistical
def test_mean_weight_is_z_with_the_number_of_the_pilot():
    samples = trained_square().sample(8000, 3, progress=False)
    log_w = torch.from_numpy(samples["log_weight_joint"].to_numpy())
    assert_z(*jackknife_log_mean(log_w), trained_square().system.exact_results()["log_z"], max_err=0.05)


def no_pilot(*arguments):
    raise AssertionError("a pilot was drawn")


def test_without_a_pilot(monkeypatch):
    monkeypatch.setattr(number_of_views, "_all_sides", no_pilot)
    lattice, eased = trained_square(), EDG(DoubleWell(2), train_at={"temperature": 2.0}, n_components=4)
    eased.fit(seed=0, n_steps=2, progress=False)
    reference = mcmc.run(lattice.system, "metropolis", n_chains=2, n_sweeps=50, seed=3, keep=True)
    rule = {"n_views": 8, "n_views_from": "rule"}
    for found in (
        lattice.sample(511, 1, progress=False),
        lattice.chain(40, 1, progress=False),
        lattice.upper_bound(reference, 1),
        eased.sample(600, 1, n_anneal=3, progress=False),
    ):
        assert rule.items() <= settings(found).items()
    flow = lattice.sample(2, 1, weights="ode", n_ode_steps=2, progress=False)
    assert "n_views" not in settings(flow)
    with pytest.raises(AssertionError, match="a pilot was drawn"):
        lattice.sample(512, 1, progress=False)


class OneWay(GaussianField):
    """Configurations that do not tell where they came from."""

    def to_configurations(self, x, generator=None):
        return super().to_configurations(x, generator)


def test_a_system_without_a_way_back_is_weighed_from_one_side():
    edg = EDG(OneWay(lattices.build("chain", (4,))), **SMALL_FIELD)
    for n in (20, 600):
        samples = edg.sample(n, 0, progress=False)
        assert {"n_views": 1, "n_views_from": "rule"}.items() <= settings(samples).items()


@pytest.mark.parametrize(
    ("value", "kind"),
    [(0, ValueError), (-1, ValueError), ("many", ValueError), (1.5, TypeError), (True, TypeError)],
)
@pytest.mark.parametrize("call", ["sample", "chain"])
def test_another_number_is_refused(call, value, kind):
    with pytest.raises(kind, match=f"n_views must be 'auto' or an integer >= 1, got {value!r}"):
        getattr(trained_square(), call)(8, 0, n_views=value)
