"""Bytes and values: frames, codecs, names, addresses. No clock, and no socket but for TLS."""
