"""Networks that are not the catalogue's: how they are read, cut and checked.

keras_file   a file that Keras opens, and why one does not
frame        what size of picture a network takes
metadata     what an imported file says about its pixels and classes
cut          where the old classifier begins
scaling      whether pixels arrive as the network was trained on them
"""
