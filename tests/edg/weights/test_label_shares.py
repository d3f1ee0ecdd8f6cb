# SPDX-License-Identifier: MIT
"""Shares of labels from a pilot: weights stay exact, a share trained away comes back, asked numbers stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.edg import boltzmann, jackknife_log_mean
from helpers.samplers import SMALL_FIELD
from helpers.stats import assert_off, assert_z

import lattices
from edgphys.edg import EDG
from edgphys.edg.weights.label_shares import best_shares
from edgphys.systems import Ising


def sampler(field: float = 0.1) -> EDG:
    """In a field the share of the phase along it is held at the least by hand."""
    edg = EDG(Ising(lattices.build("square", (4, 4)), temperature=3.5, field=field), **SMALL_FIELD)
    with torch.no_grad():
        edg.model.mixed_logit.fill_(-3.0)
        edg.model.opposite_logit.fill_(3.0)
    return edg


def log_weights(edg, n_views, seed=3):
    samples = edg.sample(12_000, seed, n_views=n_views, progress=False)
    return torch.from_numpy(samples["log_weight_joint"].to_numpy()), samples


def ess(log_w):
    w = torch.exp(log_w - log_w.max())
    return float(w.sum() ** 2 / (w**2).sum() / len(w))


@pytest.mark.statistical
@pytest.mark.parametrize("field", [0.0, 0.1])
def test_weights_stay_exact_and_become_more_even(field):
    edg = sampler(field)
    log_z = boltzmann(edg.system)[2]
    shares = best_shares(edg.model, 4, torch.Generator().manual_seed(1))
    trained = edg.model.label_probabilities().detach()
    assert float(shares.sum()) == pytest.approx(1.0)
    assert not field or float(shares[2]) > 2.0 * float(trained[2])
    before, _ = log_weights(edg, 1)
    edg._model = edg.model.with_label_shares(shares)
    after, _ = log_weights(edg, 1)
    assert_z(*jackknife_log_mean(after), log_z, n_tests=2, max_err=0.06)
    assert_off(*jackknife_log_mean(after), log_z + 0.3, least=8.0, max_err=0.06)
    assert ess(after) > (1.5 if field else 0.9) * ess(before)


@pytest.mark.slow
def test_shares_are_told_and_left_alone_where_a_number_is_asked():
    edg = sampler()
    one, plain = log_weights(edg, 1)
    again, auto = log_weights(edg, "auto")
    assert "label_shares" not in plain.attrs["settings"] and "label_shares" in auto.attrs["settings"]
    np.testing.assert_array_equal(one, log_weights(edg, 1)[0])
    np.testing.assert_array_equal(again, log_weights(edg, "auto")[0])
    assert "label_shares" not in edg.sample(100, 0, progress=False).attrs["settings"]


def test_phases_of_a_symmetric_target_are_drawn_alike():
    edg = sampler(0.0)
    shares = edg.model.with_label_shares(torch.tensor([0.1, 0.5, 0.4])).label_probabilities()
    np.testing.assert_allclose(shares.numpy(), [0.25, 0.5, 0.25], rtol=1e-6)
    trained = edg.model.label_probabilities().detach()
    assert float(trained[1]) != pytest.approx(0.5)
    tilted = sampler(0.1).model.with_label_shares(torch.tensor([0.1, 0.5, 0.4])).label_probabilities()
    np.testing.assert_allclose(tilted.numpy(), [0.1, 0.5, 0.4], rtol=1e-6)
