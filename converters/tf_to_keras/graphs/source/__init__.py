"""What a TensorFlow file holds, read and checked with nothing of it run."""
