"""Rows of Features that deserve a look: labels the others speak against, and outliers."""
