"""Envoy as the front door: its configuration, made from the settings and the contracts."""
