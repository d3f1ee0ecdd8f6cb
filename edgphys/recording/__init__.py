# SPDX-License-Identifier: MIT
"""How a dataset came about: which call, with which arguments, by which command, on which machine."""
