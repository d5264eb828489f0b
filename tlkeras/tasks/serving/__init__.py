"""A trained classifier behind TensorFlow Serving's REST interface, for trying it out here."""
