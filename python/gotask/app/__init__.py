"""What an app registers, and running one call of it."""
