"""Commands for before training: which backbone, and whether transfer is right."""
