# SPDX-License-Identifier: MIT
"""Public computations give the numbers that are recorded in golden/golden.json, see golden/make.py.

On the machine of the record (same processor features, platform and versions of torch, numpy, numba and
llvmlite) everything must agree: the bytes of every variable and all attributes. Elsewhere rounding differs,
and Markov chains and training make two runs part company:

- structure is compared exactly everywhere: sizes, names, dims, dtypes, names of attributes, and the values of
  all attributes but those that a run measures: every one with a fraction, and `MEASURED` (new ones may join);
- records of exact results and of estimates from given draws (kinds `STABLE`) agree in the means of all
  variables to a relative 1e-6: their rounding errors do not grow;
- values of all other records are not compared elsewhere: that they are right is for the statistical tests.
"""

from __future__ import annotations

import copy
import json
import math

import pytest
from golden.cases import SEED, STABLE, cases
from golden.make import FILE, fingerprint, record

GOLDEN = json.loads(FILE.read_text())
# Attributes that a run measures or counts, beside those that are floating-point numbers.
MEASURED = (
    *("settings", "n_energy_calls", "n_gradient_calls", "n_sent_back", "n_unseen"),
    *("tau_int_of", "tau_int_by_name", "r_hat_of"),
)


def differences(found: dict, golden: dict, *, same_machine: bool, stable: bool) -> list[str]:
    """What is not as recorded, one line each."""
    pairs = {"sizes": (found["sizes"], golden["sizes"])}
    for part in ("variables", "attrs"):
        added = found[part].keys() if part == "variables" else set()
        for name in sorted(golden[part].keys() | added):
            pairs[f"{part} {name}"] = found[part].get(name, "missing"), golden[part].get(name, "missing")
    return [
        f"{what}: {now}, recorded {then}"
        for what, (now, then) in pairs.items()
        if not _agree(what, now, then, same_machine, stable)
    ]


def _agree(what: str, now, then, same_machine: bool, stable: bool) -> bool:
    if same_machine or "missing" in (now, then) or what == "sizes":
        return now == then
    part, name = what.split(" ", 1)
    if part == "attrs":
        return name in MEASURED or now == then or (isinstance(now, float) and isinstance(then, float))
    if now[0] != then[0] or len(now) != len(then):
        return False
    return not stable or len(now) == 1 or _close(now[1], then[1])


def _close(now: float | None, then: float | None) -> bool:
    if None in (now, then):
        return now == then
    return math.isclose(now, then, rel_tol=1e-6, abs_tol=1e-12)


def _is_stable(name: str) -> bool:
    return name.split("/")[0] in STABLE


def test_every_case_is_recorded_and_no_other():
    assert set(cases()) == set(GOLDEN["records"])


@pytest.mark.parametrize("name", GOLDEN["records"])
def test_as_recorded(name):
    # Through JSON, as the record was.
    found = json.loads(json.dumps(record(cases()[name](SEED))))
    same = fingerprint() == GOLDEN["fingerprint"]
    wrong = differences(found, GOLDEN["records"][name], same_machine=same, stable=_is_stable(name))
    assert not wrong, "\n".join([f"{name} ({'same' if same else 'another'} machine)", *wrong])


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("edg/ising decimation/sample", "log_weight_joint"),
        ("edg/well gaussian/chain", "energy"),
        ("edg/particles leapfrog/upper_bound", "log_weight_reverse"),
        ("mcmc/ising square/wolff", "energy"),
        ("temper/phi4", "action_terms"),
        ("free_energy/ising/mbar", "log_z"),
        ("scan/double well", "log_z"),
        ("stored/weighted/estimate ising", "log_z"),
    ],
)
def test_another_seed_is_found(name, variable):
    found = json.loads(json.dumps(record(cases()[name](SEED + 1))))
    wrong = differences(found, GOLDEN["records"][name], same_machine=True, stable=True)
    assert any(line.startswith(f"variables {variable}:") for line in wrong)


def test_elsewhere_structure_and_stable_values_are_still_compared():
    golden = copy.deepcopy(GOLDEN["records"]["stored/weighted/estimate ising"])
    about, mean, digest = golden["variables"]["energy"]

    def wrong(*column, stable=True, **attrs):
        other = {**golden, "variables": {**golden["variables"], "energy": list(column)}}
        other["attrs"] = {**golden["attrs"], **attrs}
        return differences(other, golden, same_machine=False, stable=stable)

    assert not wrong(about, mean * (1 + 1e-8), "other bits", novel=1)
    assert len(wrong(about, mean * (1 + 1e-5), digest)) == 1
    assert not wrong(about, mean * (1 + 1e-5), digest, stable=False)
    assert len(wrong("float32", mean, digest, stable=False)) == 1
    assert len(wrong(f"{about} draw", mean, digest, stable=False)) == 1
    assert len(wrong(about, mean, digest, seed=-1, stable=False)) == 1
    golden["attrs"]["acceptance"] = 0.5
    assert not wrong(about, mean, digest, acceptance=0.6)
    assert len(wrong(about, mean, digest, acceptance="none")) == 1


def test_a_missing_variable_or_attribute_is_found():
    golden = GOLDEN["records"]["mcmc/phi4/hmc"]
    for part, name in (("variables", "energy"), ("attrs", "seed")):
        other = golden | {part: {key: each for key, each in golden[part].items() if key != name}}
        lines = differences(other, golden, same_machine=False, stable=False)
        assert [line.split(":")[0] for line in lines] == [f"{part} {name}"]
