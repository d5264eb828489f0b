"""How many nodes a graph becomes once its functions are put in place, without doing it.

A function that calls another one twice, that one a third one twice, and so on, thirty times, is
a graph of a thousand million nodes.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from converters.errors import ConversionError

Name = TypeVar("Name", bound=Hashable)


def sizes_in_place(
    own: Mapping[Name, int],
    calls: Mapping[Name, Sequence[Name]],
    most: int,
    *,
    endless: Callable[[Name], ConversionError],
    too_many: Callable[[int], ConversionError],
) -> dict[Name, int]:
    """Nodes of each function with those of all that it calls; neither recursion nor waste.

    Args:
        own: nodes of each function by itself.
        calls: the functions that each one calls, one entry a call; all of them are in `own`.
        most: nodes that a function may come to.
        endless: the error for a function that calls itself.
        too_many: the error for a function of so many nodes.

    >>> from converters import ReadError
    >>> calls = {"twice": ["add", "add"], "add": []}
    >>> sizes_in_place({"twice": 1, "add": 3}, calls, 10, endless=ReadError, too_many=ReadError)
    {'add': 3, 'twice': 7}
    """
    sizes: dict[Name, int] = {}
    for start in own:
        path = [] if start in sizes else [(start, iter(calls[start]))]
        open_ = {start}
        while path:
            name, waiting = path[-1]
            for call in waiting:
                if call in open_:
                    raise endless(call)
                if call not in sizes:
                    path.append((call, iter(calls[call])))
                    open_.add(call)
                    break
            else:
                sizes[name] = own[name] + sum(sizes[call] for call in calls[name])
                if sizes[name] > most:
                    raise too_many(sizes[name])
                open_.discard(name)
                path.pop()
    return sizes
