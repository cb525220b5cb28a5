"""Bad input, faults, volume and other platforms: what was tried, and what was lost."""
