"""Files on this machine: how they are named, read and written."""
