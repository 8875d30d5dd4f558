"""Several servers that work on one sweep."""
