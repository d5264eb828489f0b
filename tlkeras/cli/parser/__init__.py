"""Each command's words, options and help; what it does stands in its own file beside."""
