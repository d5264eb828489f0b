"""Files of PyTorch, told by content and opened without running what is in them."""
