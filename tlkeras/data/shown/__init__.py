"""How a data set shows itself in a notebook."""
