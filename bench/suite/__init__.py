"""The benchmark: contenders that take turns, rows of a table that they are measured for, and what is written of it."""
