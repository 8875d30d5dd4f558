"""What only version 1's scripts use: methods, records and module paths."""
