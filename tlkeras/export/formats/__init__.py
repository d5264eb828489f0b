"""Artefacts of a trained classifier, one format a file."""
