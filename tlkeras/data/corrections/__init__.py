"""Corrected labels: a journal laid over the class folders, which themselves stay as they are."""
