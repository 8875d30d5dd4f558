"""The schema of a server's node types, and rules derived from it."""
