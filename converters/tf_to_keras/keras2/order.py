"""The order in which the calls of a Functional model can be made: inputs first."""

from collections.abc import Iterator
from typing import Any

from converters.errors import ReadError
from converters.tf_to_keras.keras2.tree import Call, Leaf, Network, Ref


def sort(calls: list[Call], network: Network) -> tuple[Call, ...]:
    """Calls sorted so that each comes after the calls it takes tensors from."""
    calls = _renumber(calls, network)
    made = {(call.entry, call.node): call for call in calls}
    waiting = {key: 0 for key in made}
    users: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for key, call in made.items():
        for source in {(ref.layer, ref.node) for ref in refs((call.args, call.kwargs))}:
            if _is_input(network, source):
                continue
            if source not in made:
                raise ReadError(
                    f"Expected call {source[1]} of layer '{source[0]}' in {network.name}, got no "
                    f"such call, but '{call.entry}' takes its output. Save the network again."
                )
            waiting[key] += 1
            users.setdefault(source, []).append(key)
    ready, done = [key for key, count in waiting.items() if not count], []
    for key in ready:
        done.append(made[key])
        for user in users.get(key, ()):
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    if len(done) != len(made):
        stuck = sorted(call.entry for key, call in made.items() if waiting[key])
        raise ReadError(
            f"Expected a network without cycles, got one through {', '.join(stuck[:5])}. "
            "Save the network again."
        )
    return tuple(done)


def refs(structure: Any) -> Iterator[Ref]:
    """Every reference to a tensor inside nested lists and dicts."""
    if isinstance(structure, Ref):
        yield structure
    elif isinstance(structure, dict):
        for item in structure.values():
            yield from refs(item)
    elif isinstance(structure, list | tuple):
        for item in structure:
            yield from refs(item)


def _is_input(network: Network, source: tuple[str, int]) -> bool:
    entry = network.entries[source[0]]
    return isinstance(entry, Leaf) and entry.class_name == "InputLayer"


def _renumber(calls: list[Call], network: Network) -> list[Call]:
    """Calls numbered as the references count them.

    A nested model that was made with its own input has a call 0 that is not in the file, so
    references to it begin at 1; one that was made without begins at 0.
    """
    used: dict[str, set[int]] = {}
    for ref in refs((network.outputs, [(call.args, call.kwargs) for call in calls])):
        used.setdefault(ref.layer, set()).add(ref.node)
    counts: dict[str, int] = {}
    for call in calls:
        counts[call.entry] = counts.get(call.entry, 0) + 1
    shifted = set()
    for name, count in counts.items():
        nodes = used.get(name, set())
        if isinstance(network.entries[name], Network) and (max(nodes, default=1) >= count
                                                           or 0 not in nodes):  # fmt: skip
            shifted.add(name)
    return [
        Call(call.entry, call.node + (call.entry in shifted), call.args, call.kwargs)
        for call in calls
    ]
