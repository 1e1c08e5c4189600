"""Proof on a live system that no call is lost, run twice or answered wrongly, whatever breaks."""
