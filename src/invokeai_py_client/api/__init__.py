"""The operations of the server, one class for each router. All modules but ``base`` and ``all`` are generated."""
