"""Methods, records and module paths that only version 1's scripts use."""
