"""Results as one page that needs nothing else: sections, their order, and their look."""
