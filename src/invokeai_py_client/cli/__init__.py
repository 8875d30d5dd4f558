"""The command line, ``ivk``: one file a command."""
