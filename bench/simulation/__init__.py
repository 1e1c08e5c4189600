"""What can't be run on one machine: up to 1 000 workers, simulated call by call, beside what was measured of the product."""
