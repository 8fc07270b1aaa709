"""The model: requests out, events in."""
