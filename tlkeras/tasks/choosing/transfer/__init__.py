"""Is transfer right here: what stands against it, how both learn, and what that comes to."""
