"""All events of a server, typed."""
