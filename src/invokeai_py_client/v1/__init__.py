"""Version 1: what only its scripts use."""
