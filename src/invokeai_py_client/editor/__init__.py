"""The web UI's rules for values: JavaScript numbers, generators, literals, names."""
