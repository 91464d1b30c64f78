"""The messages of the open inference protocol's gRPC service, by their published names and numbers.

Made here from a table, so that nothing generated lies in the source. Source:
https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

PACKAGE = "inference"
SERVICE = "inference.GRPCInferenceService"
# Types of protobuf's FieldDescriptorProto; a name that is none of them is a message of this file.
_TYPES = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12,
    "uint32": 13,
}  # fmt: skip
_NAMED = "name:1:string version:2:string"
# Message -> its fields, as name:number:type; `*` stands before the type of a list.
_MESSAGES: Mapping[str, str] = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live:1:bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready:1:bool",
    "ModelReadyRequest": _NAMED,
    "ModelReadyResponse": "ready:1:bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": f"{_NAMED} extensions:3:*string",
    "ModelMetadataRequest": _NAMED,
    "ModelMetadataResponse": "name:1:string versions:2:*string platform:3:string "
    "inputs:4:*ModelMetadataResponse.TensorMetadata outputs:5:*ModelMetadataResponse.TensorMetadata",
    "ModelMetadataResponse.TensorMetadata": "name:1:string datatype:2:string shape:3:*int64",
    "ModelInferRequest": "model_name:1:string model_version:2:string id:3:string parameters:4:map "
    "inputs:5:*ModelInferRequest.InferInputTensor outputs:6:*ModelInferRequest.InferRequestedOutputTensor "
    "raw_input_contents:7:*bytes",
    "ModelInferRequest.InferInputTensor": "name:1:string datatype:2:string shape:3:*int64 parameters:4:map "
    "contents:5:InferTensorContents",
    "ModelInferRequest.InferRequestedOutputTensor": "name:1:string parameters:2:map",
    "ModelInferResponse": "model_name:1:string model_version:2:string id:3:string parameters:4:map "
    "outputs:5:*ModelInferResponse.InferOutputTensor raw_output_contents:6:*bytes",
    "ModelInferResponse.InferOutputTensor": "name:1:string datatype:2:string shape:3:*int64 parameters:4:map "
    "contents:5:InferTensorContents",
    "InferParameter": "bool_param:1:bool int64_param:2:int64 string_param:3:string double_param:4:double "
    "uint64_param:5:uint64",
    "InferTensorContents": "bool_contents:1:*bool int_contents:2:*int32 int64_contents:3:*int64 "
    "uint_contents:4:*uint32 uint64_contents:5:*uint64 fp32_contents:6:*float fp64_contents:7:*double "
    "bytes_contents:8:*bytes",
}


@cache
def messages() -> Mapping[str, Any]:
    """Return the message classes by name."""
    from google.protobuf import (  # type: ignore[import-untyped]
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    file = descriptor_pb2.FileDescriptorProto(
        name="open_inference_grpc.proto", package=PACKAGE, syntax="proto3"
    )
    made: dict[str, Any] = {}
    for name, fields in _MESSAGES.items():
        outer, _, inner = name.rpartition(".")
        made[name] = (made[outer].nested_type if outer else file.message_type).add(name=inner)
        for field in fields.split():
            _add(made[name], name, *field.split(":"))
        if name == "InferParameter":
            made[name].oneof_decl.add(name="parameter_choice")
            for each in made[name].field:
                each.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: pool.FindMessageTypeByName(f"{PACKAGE}.{name}") for name in _MESSAGES}
    return {name: message_factory.GetMessageClass(found[name]) for name in found}


def _add(message: Any, path: str, name: str, number: str, kind: str) -> None:
    """Add a field to the description of a message."""
    if kind == "map":
        entry = message.nested_type.add(name="ParametersEntry")
        entry.options.map_entry = True
        _add(entry, path, "key", "1", "string")
        _add(entry, path, "value", "2", "InferParameter")
        kind = f"*{path}.ParametersEntry"
    word = kind.removeprefix("*")
    field = message.field.add(name=name, number=int(number), label=3 if kind.startswith("*") else 1)
    if word in _TYPES:
        field.type = _TYPES[word]
    else:
        field.type, field.type_name = 11, f".{PACKAGE}.{word}"
