"""Images on the server."""
