"""A broker's whole world, simulated: see `world`."""
