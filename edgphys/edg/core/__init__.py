# SPDX-License-Identifier: MIT
"""What every generator shares: the abstract model, bounds, path weights, schedules, training."""
