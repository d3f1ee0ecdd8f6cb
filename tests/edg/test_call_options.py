# SPDX-License-Identifier: MIT
"""Options of training and sampling: defaults are those of the signatures, values are checked once."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

from edgphys import EDG
from edgphys.edg.call_options import FitOptions, SampleOptions, split
from edgphys.errors import UnknownNameError

# What the caller of `EDG.fit` and `EDG.sample` gives besides.
CALL = {
    "self",
    "seed",
    "n_samples",
    "keep",
    "progress",
    "checkpoint",
    "reference",
    "couplings",
    "anneal_from",
    "observables",
}


@pytest.mark.parametrize("kind, call", [(FitOptions, EDG.fit), (SampleOptions, EDG.sample)])
def test_options_are_the_keywords_of_the_call_with_their_defaults(kind, call):
    parameters = inspect.signature(call).parameters
    keywords = {name: one.default for name, one in parameters.items() if name not in CALL}
    assert {one.name: one.default for one in fields(kind)} == keywords


@pytest.mark.parametrize("kind", [FitOptions, SampleOptions])
def test_every_option_has_one_line_of_help(kind):
    assert all(0 < len(one.metadata["help"]) < 90 for one in fields(kind))


@pytest.mark.parametrize(
    "kind, name, value, error",
    [
        (FitOptions, "n_steps", -1, ValueError),
        (FitOptions, "n_steps", 1.5, TypeError),
        (FitOptions, "batch_size", 2, ValueError),
        (FitOptions, "patience", 0, ValueError),
        (FitOptions, "learning_rate", 0.0, ValueError),
        (FitOptions, "path_share", 1.5, ValueError),
        (FitOptions, "annealing", -0.1, ValueError),
        (FitOptions, "device", "abacus", ValueError),
        (FitOptions, "training", "chain", UnknownNameError),
        (SampleOptions, "n_path_steps", 0, ValueError),
        (SampleOptions, "n_anneal", -1, ValueError),
        (SampleOptions, "batch_size", 0, ValueError),
        (SampleOptions, "n_probes", True, TypeError),
        (SampleOptions, "n_ode_steps", 0, ValueError),
        (SampleOptions, "weights", "flow", UnknownNameError),
        (SampleOptions, "divergence", "none", UnknownNameError),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_on_construction(kind, name, value, error):
    with pytest.raises(error, match=name):
        kind(**{name: value})


@pytest.mark.parametrize(
    "options, is_exact",
    [
        ({}, True),
        ({"divergence": "hutchinson"}, True),
        ({"weights": "ode"}, True),
        ({"weights": "ode", "divergence": "hutchinson"}, False),
    ],
)
def test_only_a_probed_flow_has_noise_in_the_exponent(options, is_exact):
    assert SampleOptions(**options).is_exact is is_exact


def test_a_name_that_two_have_belongs_to_the_first():
    options = {"n_path_steps": 4, "batch_size": 64, "n_steps": 5, "weights": "ode", "form": "paper"}
    assert split(options) == (
        {"n_path_steps": 4, "form": "paper"},
        {"batch_size": 64, "n_steps": 5},
        {"weights": "ode"},
    )


def test_split_refuses_an_unknown_name_and_a_wrong_value():
    with pytest.raises(TypeError, match=r"unknown option 'n_step'; there are .*n_steps"):
        split({"n_step": 3})
    with pytest.raises(ValueError, match="batch_size"):
        split({"batch_size": 1})
