"""What the writers are put together from: alignment, windows, reductions, movements."""
