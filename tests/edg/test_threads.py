# SPDX-License-Identifier: MIT
"""A sampler computes with its own number of torch's threads, and gives the old one back."""

from __future__ import annotations

import types

import pytest
import torch

import lattices
from edgphys.edg import EDG, sampler
from edgphys.systems import Ising

SYSTEM = Ising(lattices.build("chain", (4,)), temperature=2.0)
CALLS = {
    "fit_model": lambda edg: edg.fit(seed=0),
    "draw_samples": lambda edg: edg.sample(8, seed=0),
    "independence_chain": lambda edg: edg.chain(8, seed=0),
    "bridge": lambda edg: edg.bridge(None, 8, seed=0),
    "draw_curve": lambda edg: edg.curve([2.0], 8),
    "upper_bound": lambda edg: edg.upper_bound(None, seed=0),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_the_threads_of_the_sampler(name, monkeypatch):
    """Control: torch stands at another number before, and does so after every call, of an error too."""
    seen = []

    def watched(*args, **options):
        seen.append(torch.get_num_threads())
        answer = types.SimpleNamespace(model=None, history=None, training=None)
        answer.assign_attrs = lambda attrs: answer
        return answer

    def failing(*args, **options):
        raise ValueError("failed")

    monkeypatch.setattr(EDG, "_trained", types.SimpleNamespace(observing=lambda observables: None))
    torch.set_num_threads(3)  # the fixture one_torch_thread puts it back
    for edg, n_threads in ((EDG(SYSTEM), 1), (EDG(SYSTEM, n_threads=2), 2)):
        monkeypatch.setattr(sampler, name, watched)
        CALLS[name](edg)
        assert (seen.pop(), torch.get_num_threads()) == (n_threads, 3)
        monkeypatch.setattr(sampler, name, failing)
        with pytest.raises(ValueError, match="failed"):
            CALLS[name](edg)
        assert torch.get_num_threads() == 3


def test_a_wrong_number_of_threads_is_refused():
    with pytest.raises(ValueError, match="n_threads must be an integer >= 1, got 0"):
        EDG(SYSTEM, n_threads=0)
