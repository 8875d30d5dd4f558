"""Local files: naming, reading and writing them."""
