# SPDX-License-Identifier: MIT
"""Chains as arviz takes them; weighted draws, whose weights it would drop, are refused."""

from __future__ import annotations

import arviz
import numpy as np
import pytest
from helpers.datasets import chains, exact, weighted

import edgphys as ep
from edgphys import dataset
from edgphys.errors import DatasetError


def test_arviz_gives_the_mean_of_the_chains(tmp_path):
    samples = dataset.read(dataset.write(chains(4, 200), tmp_path / "a.nc"))
    data = ep.to_inference_data(samples)
    np.testing.assert_array_equal(data["posterior"]["energy"], samples["energy"])
    table = arviz.summary(data, round_to="none")
    assert float(table.loc["energy", "mean"]) == pytest.approx(float(samples["energy"].mean()))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (weighted, "must be Markov chains, got weighted draws"),
        (exact, "must be of kind 'samples', got 'estimates'"),
    ],
)
def test_what_has_no_chains_is_refused(other, message):
    with pytest.raises(DatasetError, match=message):
        ep.to_inference_data(other())
