"""Methods that run elsewhere: in another thread or process, or on another machine. What runs them there is not GoTask's own."""
