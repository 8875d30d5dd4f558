"""The only place that touches the network: requests, events, retries."""
