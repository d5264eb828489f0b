"""Files to labelled, checked, split examples; nothing here needs TensorFlow until pixels flow."""
