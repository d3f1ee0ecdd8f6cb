# SPDX-License-Identifier: MIT
"""What every chain shares: the sampler interface, the driver, checkpoints, layouts, options."""
