"""Fuzzing of what reads bytes from somebody else: the decoders, the broker's socket, the clients."""
