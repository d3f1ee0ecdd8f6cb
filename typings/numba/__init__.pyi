# Compiled functions, whose calls no type checker can follow: all that numba gives is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
