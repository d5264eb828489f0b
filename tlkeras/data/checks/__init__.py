"""What may be odd about a data set: one file a kind of question, and the findings themselves."""
