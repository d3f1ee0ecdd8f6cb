# SPDX-License-Identifier: MIT
"""What a scan can ask for: methods that give estimates of a system."""
