"""Sweeps: many runs of one workflow that differ in some inputs, sent as one batch."""
