"""Which backbone: transferability, speed and size on the user's own data and machine."""
