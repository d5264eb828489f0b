"""Artefacts asked for answers in a process of their own, which knows only their runtime."""
