"""Administration of a server: configuration, caches, log level, image storage, providers and node packs."""
