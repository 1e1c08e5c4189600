"""What the broker and a worker say to each other, and what of the operating system both need."""
