"""The network layer: requests, events and retries. No other package opens connections to the server."""
