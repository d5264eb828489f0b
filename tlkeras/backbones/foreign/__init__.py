"""Networks that are not the catalogue's: how they are read, cut and checked.

doors        a file from elsewhere, looked through before Keras or a runtime opens it
frame        what size of picture a network takes
metadata     what an imported file says about its pixels and classes
cut          where the old classifier begins
scaling      whether pixels arrive as the network was trained on them
"""
