"""Models: listed, installed, converted, removed."""
