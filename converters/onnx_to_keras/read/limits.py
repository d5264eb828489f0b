"""How large a file may be: far above any real network, far below what harms a laptop."""

FILE_BYTES = 2**31 - 1  # protobuf itself ends here
TENSOR_BYTES = 4 * 2**30  # all weights of a model together, external ones too
STRUCTURE_BYTES = 4 * 2**20  # of a file without its weights; above it messages are counted
MESSAGES = 4_000_000  # protobuf messages; each takes about 160 bytes once parsed
NODES = 500_000
DEPTH = 6_000  # nodes that follow one another; a ResNet of 1001 layers has 3,000
SUBGRAPH_DEPTH = 12
NAME_CHARACTERS = 4096
ATTRIBUTE_VALUES = 4_000_000  # numbers in one list attribute
RANK = 32
