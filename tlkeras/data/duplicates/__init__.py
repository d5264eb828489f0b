"""Which pictures show the same thing: equal files, and near copies of one another.

small.py       pixels → thumbnail and difference hash
near.py        thumbnails and hashes of all pictures → pairs that are near copies
partition.py   pairs and group keys → numbered groups
clustering.py  the three together
"""

from tlkeras.data.duplicates.clustering import clusters
from tlkeras.data.duplicates.partition import codes, joined, numbered
from tlkeras.data.duplicates.small import difference_hash, small_versions, thumbnail

__all__ = [
    "clusters",
    "codes",
    "difference_hash",
    "joined",
    "numbered",
    "small_versions",
    "thumbnail",
]
