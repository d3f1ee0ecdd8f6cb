# SPDX-License-Identifier: MIT
"""JSON text from files, read through a form that says what must be in it."""

from __future__ import annotations

import json
import math
from typing import Any

from edgphys._checks import one_line

__all__ = ["Form", "depth", "parsed"]

# str, float (any number), {} or [] (any object or list), [form] (a list of these), {"name": form} (an object
# with at least these), {str: form} (an object of these), or a tuple of forms, of which one must fit.
Form = Any

# Deeper than anything that is written here, and far from what Python can follow.
_DEEPEST = 40
_LARGEST = 10**300  # an integer may have more digits than a float takes


def parsed(text: Any, form: Form, name: str = "the text") -> Any:
    """What the JSON text holds.

    Raises
    ------
    ValueError
        If it is no JSON, nested without end, or not of the form; the message names the place.

    Examples
    --------
    >>> parsed('{"seed": 1}', {"seed": float})
    {'seed': 1}
    >>> parsed('{"settings": [1]}', {"settings": {}})
    Traceback (most recent call last):
    ValueError: settings of the text must be an object, got [1]
    """
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise ValueError(f"{name} must be JSON text of {_words(form)}, got {one_line(text)}") from None
    if not any(_fits(value, one) for one in _forms(form)):
        raise ValueError(f"{name} must be JSON text of {_words(form)}, got {one_line(text)}")
    _check(value, form, name)
    if depth(value) > _DEEPEST:
        raise ValueError(f"{name} must be nested at most {_DEEPEST} deep, got {one_line(text)}")
    return value


def _check(value: Any, form: Form, name: str) -> None:
    fitting = next((one for one in _forms(form) if _fits(value, one)), None)
    if fitting is None:
        raise ValueError(f"{name} must be {_words(form)}, got {one_line(value)}")
    if isinstance(fitting, list) and fitting:
        for one in value:
            _check(one, fitting[0], f"every one of {name}")
    if isinstance(fitting, dict):
        for key, inner in fitting.items():
            if key is not str and key not in value:
                raise ValueError(f"{name} must have {key}, which is missing")
            for each in value if key is str else (key,):
                _check(value[each], inner, f"{one_line(each)[1:-1]} of {name}")


def _forms(form: Form) -> tuple[Form, ...]:
    return form if isinstance(form, tuple) else (form,)


def _fits(value: Any, form: Form) -> bool:
    if form is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return (is_number and abs(value) < _LARGEST) or value in (math.inf, -math.inf) or value != value
    return isinstance(value, form if isinstance(form, type) else type(form))


def _words(form: Form) -> str:
    if isinstance(form, tuple):
        return " or ".join(map(_words, form))
    if isinstance(form, dict | list):
        return "an object" if isinstance(form, dict) else "a list"
    return {str: "text", float: "a number", bool: "true or false"}[form]


def depth(value: Any) -> int:
    """Levels of objects and lists, without recursion."""
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
        depth += 1
    return depth
