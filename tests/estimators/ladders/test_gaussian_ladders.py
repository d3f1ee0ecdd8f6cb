# SPDX-License-Identifier: MIT
"""Free energies of Gaussian modes along an irregular path, by both estimators."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.ladders import EXACT, MODES, PATH, gaussian_ladder
from helpers.stats import assert_off, assert_z

from edgphys.estimators import mbar, thermodynamic_integration

ESTIMATORS = {"ti": thermodynamic_integration, "mbar": mbar}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("reference", [0, 2, -1])
def test_free_energies_of_gaussian_modes(name, reference):
    ladder = gaussian_ladder(np.random.default_rng(5), PATH, 4, 4000, MODES)
    result = ESTIMATORS[name](ladder, EXACT[reference], reference)
    assert result["log_z_err"][reference] == 0 and result["log_z"][reference] == EXACT[reference]
    for k in set(range(4)) - {reference % 4}:
        assert_z(float(result["log_z"][k]), float(result["log_z_err"][k]), EXACT[k], n_tests=18, max_err=0.03)
    assert result.attrs["warning"] == ""


@pytest.mark.parametrize("name", ESTIMATORS)
def test_draws_from_a_wrong_law_are_seen(name):
    ladder = gaussian_ladder(np.random.default_rng(5), PATH, 4, 4000, MODES)
    ladder["action_terms"][2] *= 1.15
    result = ESTIMATORS[name](ladder, EXACT[0])
    for k in (2, 3):
        assert_off(float(result["log_z"][k]), float(result["log_z_err"][k]), EXACT[k], least=7.0, max_err=0.1)
