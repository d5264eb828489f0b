"""One layer or function of Keras 2 at a time, in the words of Keras 3."""
