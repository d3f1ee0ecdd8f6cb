# SPDX-License-Identifier: MIT
"""Every check gives the value in one type, or one line: the argument, what is allowed, and what came."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from edgphys import _checks as checks
from edgphys.errors import ArgumentTypeError, ArgumentValueError, UnknownNameError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("check", "value", "wanted"),
    [
        (lambda v: checks.count(v, "n", 1), np.int32(1), 1),
        (lambda v: checks.count(v, "n", 0, 3), 3, 3),
        (lambda v: checks.whole(v, "n", 1), 4.0, 4),
        (checks.seed, 2**63 - 1, 2**63 - 1),
        (lambda v: checks.sizes(v, "size", ("a", "b")), [2, np.int64(3)], (2, 3)),
        (lambda v: checks.finite(v, "x"), -1, -1.0),
        (lambda v: checks.positive(v, "x"), np.float32(0.5), 0.5),
        (lambda v: checks.share(v, "x"), 1, 1.0),
        (lambda v: checks.number(v, "x", above=0.0, below=1.0), 0.25, 0.25),
        (lambda v: checks.choice(v, "x", ("a", "b")), "b", "b"),
        (lambda v: checks.flag(v, "x"), np.True_, True),
        (lambda v: checks.instance(v, "x", dict, "a dict"), {}, {}),
    ],
)
def test_what_is_allowed_comes_back_in_one_type(check, value, wanted):
    came = check(value)
    assert came == wanted and type(came) is type(wanted)


@pytest.mark.parametrize(
    ("check", "value", "error", "message"),
    [
        (lambda v: checks.count(v, "n", 1), 0, ArgumentValueError, "n must be an integer >= 1, got 0"),
        (lambda v: checks.count(v, "n", 1), 1.0, ArgumentTypeError, "n must be an integer >= 1, got 1.0"),
        (lambda v: checks.count(v, "n", 1), True, ArgumentTypeError, "n must be an integer >= 1, got True"),
        (
            lambda v: checks.count(v, "n", 1, 3),
            4,
            ArgumentValueError,
            "n must be an integer from 1 to 3, got 4",
        ),
        (lambda v: checks.whole(v, "n", 1), 1.5, ArgumentTypeError, "n must be an integer >= 1, got 1.5"),
        (lambda v: checks.whole(v, "n", 1), INF, ArgumentTypeError, "n must be an integer >= 1, got inf"),
        (checks.seed, -1, ArgumentValueError, "seed must be an integer >= 0, got -1"),
        (checks.seed, 2**63, ArgumentValueError, f"seed must be an integer below 2^63, got {2**63}"),
        (
            lambda v: checks.sizes(v, "size", ("channels", "blocks")),
            3,
            ArgumentTypeError,
            "size must be 2 integers (channels, blocks), got 3",
        ),
        (lambda v: checks.finite(v, "x"), NAN, ArgumentValueError, "x must be finite, got nan"),
        (lambda v: checks.finite(v, "x"), "1", ArgumentTypeError, "x must be a real number, got '1'"),
        (lambda v: checks.finite(v, "x"), np.True_, ArgumentTypeError, "x must be a real number, got True"),
        (lambda v: checks.positive(v, "x"), 0, ArgumentValueError, "x must be positive and finite, got 0"),
        (
            lambda v: checks.positive(v, "x"),
            INF,
            ArgumentValueError,
            "x must be positive and finite, got inf",
        ),
        (lambda v: checks.share(v, "x"), 1.5, ArgumentValueError, "x must be a number in [0, 1], got 1.5"),
        (
            lambda v: checks.number(v, "x", least=0.0),
            -1.0,
            ArgumentValueError,
            "x must be finite and not negative, got -1.0",
        ),
        (
            lambda v: checks.number(v, "x", above=0.0, below=2.0),
            2.0,
            ArgumentValueError,
            "x must be a number in (0, 2), got 2.0",
        ),
        (
            lambda v: checks.choice(v, "x", ("a", "b")),
            "c",
            UnknownNameError,
            "x must be one of a, b, got 'c'",
        ),
        (
            lambda v: checks.choice(v, "x", ("a", "b")),
            ["a"],
            UnknownNameError,
            "x must be one of a, b, got ['a']",
        ),
        (lambda v: checks.flag(v, "x"), 1, ArgumentTypeError, "x must be True or False, got 1"),
        (
            lambda v: checks.instance(v, "x", dict, "a dict"),
            [],
            ArgumentTypeError,
            "x must be a dict, got list",
        ),
        (
            lambda v: checks.numbers_of(v, "x", "numbers"),
            [1j],
            ArgumentTypeError,
            "x must be numbers, got [1j]",
        ),
        (
            lambda v: checks.numbers_of(v, "x", "numbers"),
            [[1], [1, 2]],
            ArgumentValueError,
            "x must be numbers, got [[1], [1, 2]]",
        ),
        (
            lambda v: checks.device(v, "x"),
            "abacus",
            ArgumentValueError,
            "x must be one that torch has here, got 'abacus'",
        ),
    ],
)
def test_what_is_not_allowed_is_refused_one_line(check, value, error, message):
    with pytest.raises(error) as caught:
        check(value)
    assert str(caught.value) == message and caught.value.argument == message.split()[0]


def test_errors_are_the_plain_ones_too_and_survive_a_trip_to_another_process():
    assert issubclass(ArgumentTypeError, TypeError) and issubclass(ArgumentValueError, ValueError)
    error = pickle.loads(pickle.dumps(UnknownNameError("method must be one of edg, got 'x'", "method")))
    assert str(error) == "method must be one of edg, got 'x'" and error.argument == "method"


def test_what_came_stays_on_one_line():
    assert checks.one_line("a\nb") == r"'a\nb'"
    assert "\n" not in checks.one_line(np.zeros((40, 40)))
