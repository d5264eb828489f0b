"""What a served model does with encoded pictures, written as TensorFlow graph code."""
