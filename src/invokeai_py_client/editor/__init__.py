"""What the web UI does with values: JavaScript numbers, generators, literals, names."""
