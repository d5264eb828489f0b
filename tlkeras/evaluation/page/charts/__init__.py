"""Drawings of the report page: inline SVG whose colours follow the page's light or dark style."""
