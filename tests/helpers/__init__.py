# SPDX-License-Identifier: MIT
"""What tests share: oracles, statistics, stubs."""
