"""Commands that look for what is wrong: in pictures, answers and models."""
