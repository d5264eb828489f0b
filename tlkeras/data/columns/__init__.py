"""What is known of many pictures, a column each: some dozen bytes a picture, no objects."""
