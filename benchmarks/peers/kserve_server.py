"""Exported SavedModels behind KServe's model server, on loopback; a script, run by its path.

    python kserve_server.py flowers=serve/flowers/1 [NAME=FOLDER ...] [--port 8080]

It runs in the environment `kserve` of benchmarks.peers.install and knows nothing of tlkeras. V1,
`/v1/models/NAME:predict`, takes TensorFlow Serving's bodies, rows and columns, named and bare; V2,
`/v2/models/NAME/infer`, takes BYTES. What is wrong with a request is 400; a picture that can't be
decoded is the graph's affair, which marks its row. As it begins to listen it prints one line,
{"url": "http://127.0.0.1:8080"}.
"""

import argparse
import asyncio
import base64
import socket
from collections.abc import Mapping
from typing import Any

import kserve
import numpy as np
import orjson
import tensorflow as tf
from kserve import InferOutput, InferRequest, InferResponse
from kserve.errors import InvalidInput
from kserve.protocol.rest.server import RESTServer
from kserve.utils.numpy_codec import from_np_dtype

DEFAULT = "serving_default"

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("models", nargs="+", metavar="NAME=FOLDER", help="a SavedModel and its name")
parser.add_argument("--port", type=int, default=0, help="0: any that is free")


class Exported(kserve.Model):
    """One SavedModel: the request's named tensors in, what its signature answers out."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(name)
        self.loaded = tf.saved_model.load(folder)  # kept: the signatures live as long as it does
        self.ready = True

    async def predict(self, payload: Any, headers: object = None, more: object = None) -> Any:
        """The body of the answer, computed in a thread so that the server goes on listening."""
        try:
            answer = self.tensors if isinstance(payload, InferRequest) else self.rows_or_columns
            return await asyncio.to_thread(answer, payload)
        except (KeyError, TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise InvalidInput(str(error)) from error

    def rows_or_columns(self, payload: bytes | dict) -> dict[str, Any]:
        """V1: {"instances": rows} → {"predictions": rows}, {"inputs": …} → {"outputs": …}."""
        # KServe leaves a body alone that is not declared as JSON; curl and urllib declare none.
        request = orjson.loads(payload) if isinstance(payload, bytes) else payload
        if not isinstance(request, dict) or len({"instances", "inputs"} & set(request)) != 1:
            raise ValueError("A request has one of the keys 'instances' and 'inputs'")
        name, taken = self.signature(request.get("signature_name", DEFAULT))
        if "inputs" in request:
            outputs = self.ask(name, column(request["inputs"], taken))
            return {"outputs": {key: values.tolist() for key, values in readable(outputs).items()}}
        if not isinstance(request["instances"], list):
            raise ValueError("'instances' is a list of rows")
        given = [column(row, taken) for row in request["instances"]]
        outputs = readable(self.ask(name, given))
        rows = zip(*(values.tolist() for values in outputs.values()), strict=True)
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}

    def tensors(self, request: InferRequest) -> InferResponse:
        """V2: a tensor in, raw or as base64 in JSON; all outputs as tensors."""
        name, taken = self.signature((request.parameters or {}).get("signature_name", DEFAULT))
        found = request.get_input_by_name(taken)
        if found is None:
            raise ValueError(f"The input is called '{taken}'")
        files = [{"b64": one} if isinstance(one, str) else one for one in found.as_numpy().tolist()]
        outputs = [
            InferOutput(key, list(values.shape), from_np_dtype(values.dtype), values)
            for key, values in self.ask(name, files).items()
        ]
        return InferResponse(request.id or "0", self.name, outputs)  # the id has to be a text

    def signature(self, name: object) -> tuple[str, str]:
        """Its name and that of its input, if there is such a signature."""
        if not isinstance(name, str) or name not in self.loaded.signatures:
            raise ValueError(f"There are the signatures {', '.join(self.loaded.signatures)}")
        return name, next(iter(self.loaded.signatures[name].structured_input_signature[1]))

    def ask(self, name: str, values: Any) -> dict[str, Any]:
        """Output by name, (n, …) each."""
        function = self.loaded.signatures[name]
        ((taken, spec),) = function.structured_input_signature[1].items()
        if spec.dtype == tf.string:
            values = [one if isinstance(one, bytes) else content(one) for one in values]
        given = tf.constant(values, spec.dtype)
        return {key: value.numpy() for key, value in function(**{taken: given}).items()}


def column(value: Any, name: str) -> Any:
    """The values of the one input, which may stand alone or under its name."""
    if not isinstance(value, dict) or set(value) == {"b64"}:
        return value
    if set(value) != {name}:
        raise ValueError(f"The input is called '{name}'. Received: {', '.join(value) or 'nothing'}")
    return value[name]


def content(value: Any) -> bytes:
    """The bytes of {"b64": text}."""
    if not isinstance(value, dict) or set(value) != {"b64"}:
        raise ValueError('Bytes are sent as {"b64": text}')
    return base64.b64decode(value["b64"], validate=True)


def readable(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The same with texts for bytes."""
    text = np.vectorize(bytes.decode, otypes=[object])
    return {key: text(v) if v.dtype == object else v for key, v in outputs.items()}


class OnLoopback(RESTServer):
    """KServe's REST server on a socket of our own: by itself it listens to the whole network."""

    listening: socket.socket

    async def start(self) -> None:
        """Serve until a signal says otherwise."""
        self.create_application()
        host, port = self.listening.getsockname()
        print(orjson.dumps({"url": f"http://{host}:{port}"}).decode(), flush=True)
        await self._server.serve(sockets=[self.listening])


def main() -> None:
    options = parser.parse_args()
    models = [Exported(*named.split("=", 1)) for named in options.models]
    OnLoopback.listening = socket.create_server(("127.0.0.1", options.port), backlog=256)
    kserve.model_server.RESTServer = OnLoopback
    server = kserve.ModelServer(enable_grpc=False, enable_latency_logging=False)
    server.start(models)


if __name__ == "__main__":
    main()
