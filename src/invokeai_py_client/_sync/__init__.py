"""The synchronous classes. Every file but this and ``face.py`` is written by ``tools/generate_sync.py``."""
