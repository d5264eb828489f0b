"""Converts networks between Keras and other frameworks; usable without tlkeras.

The converters themselves arrive with a later release; this package is their home.
"""
