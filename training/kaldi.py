"""Reads Kaldi's files, enough for Vosk's small English model: components and transitions of an nnet3 model (binary `final.mdl`), and
graphs that fstprint has printed."""
import re
import struct

import numpy as np

_FIELD = re.compile(rb"<(\w+)> ")


def _value(data, at):
    """What stands behind a field's name -> (array, raw four bytes or None), where it ends."""
    kind = data[at:at + 3]
    if kind == b"FM ":
        rows, columns = struct.unpack_from("<xixi", data, at + 3)
        return np.frombuffer(data, "<f4", rows * columns, at + 13).reshape(rows, columns), at + 13 + 4 * rows * columns
    if kind == b"FV ":
        count, = struct.unpack_from("<xi", data, at + 3)
        return np.frombuffer(data, "<f4", count, at + 8), at + 8 + 4 * count
    if data[at:at + 1] == b"\4":
        return data[at + 1:at + 5], at + 5
    return None, at


def read_components(path):
    """-> {component: {field: array, or the four bytes of a number}}."""
    data = open(path, "rb").read()
    data = data[data.index(b"<NumComponents>"):]
    found = list(re.finditer(rb"<ComponentName> (\S+) <\w+> ", data))
    components = {}
    for match, following in zip(found, found[1:] + [None]):
        body = data[match.end():following.start() if following else len(data)]
        fields, at = {}, 0
        while field := _FIELD.search(body, at):
            fields[field[1].decode()], at = _value(body, field.end())
        components[match[1].decode()] = fields
    return components


def transition_states(path):
    """final.mdl -> for each pair of transition ids (the odd one a self-loop, the even one the way in): phone, output on the way in, output
    of the self-loop."""
    data = open(path, "rb").read()
    at = data.index(b"<Tuples> ") + len(b"<Tuples> ")
    count, = struct.unpack_from("<xi", data, at)
    tuples = (struct.unpack_from("<xixixixi", data, at + 5 + 20 * i) for i in range(count))
    return [(phone, entering, staying) for phone, _, entering, staying in tuples]


def printed_arcs(path, finals=None):
    """What fstprint wrote, start state first -> (state, next state, input label, output label, cost) of each arc. Final states go into
    `finals`, {state: cost}, where it is wanted."""
    with open(path, encoding="utf8") as lines:
        for line in lines:
            parts = line.split()
            if len(parts) >= 4:
                yield int(parts[0]), int(parts[1]), parts[2], parts[3], float(parts[4]) if len(parts) > 4 else 0.
            elif finals is not None:
                finals[int(parts[0])] = float(parts[1]) if len(parts) > 1 else 0.


def batch_norm(fields):
    """-> (scale, offset) of a BatchNormComponent that is done with training."""
    epsilon, = struct.unpack("<f", fields["Epsilon"])
    target, = struct.unpack("<f", fields["TargetRms"])
    scale = target / np.sqrt(fields["StatsVar"] + epsilon)
    return scale, -fields["StatsMean"] * scale
