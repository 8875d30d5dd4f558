"""Videos on the server."""
