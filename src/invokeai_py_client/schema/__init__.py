"""What a server says about its node types, and what follows from it."""
