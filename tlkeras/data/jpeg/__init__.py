"""What the segments of a JPEG file say, where Pillow and libjpeg do not agree on it."""
