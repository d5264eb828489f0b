"""What a SavedModel's folder holds for the server that runs it and for those who ask it."""
