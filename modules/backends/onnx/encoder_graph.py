"""The graph of an encoder, made from its configuration and weights.

BERT, RoBERTa, XLM-RoBERTa and MPNet, with ONNX Runtime's fused operators.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from modules.backends.onnx.model_proto import ElementType, GraphProto, Value
from modules.backends.onnx.weights import EncoderWeights, Floats, Integers
from modules.errors import LoadFailed

IDS: Final = "input_ids"
MASK: Final = "attention_mask"
TYPES: Final = "token_type_ids"
POSITIONS: Final = "position_ids"
BUCKETS: Final = "position_buckets"
HIDDEN: Final = "last_hidden_state"
LOGITS: Final = "logits"

_EMBEDDINGS: Final = "embeddings"
_ACTIVATIONS: Final = {"gelu": "BiasGelu", "gelu_new": "FastGelu", "gelu_pytorch_tanh": "FastGelu"}
# BERT's, where a configuration states none.
_DEFAULT_EPSILON: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Family:
    """How an architecture names its tensors and counts positions: from `first_position` on. With `relative` attention is
    shifted by how far tokens are apart."""

    prefix: str
    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    output: str = "attention.output.dense"
    norm: str = "attention.output.LayerNorm"
    first_position: int = 0
    relative: str = ""


_BERT: Final = Family("bert.")
_ROBERTA: Final = Family("roberta.", first_position=2)
_MPNET: Final = Family(
    "mpnet.",
    query="attention.attn.q",
    key="attention.attn.k",
    value="attention.attn.v",
    output="attention.attn.o",
    norm="attention.LayerNorm",
    first_position=2,
    relative="encoder.relative_attention_bias.weight",
)
FAMILIES: Final[Mapping[str, Family]] = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "mpnet": _MPNET,
}


@dataclass(frozen=True, slots=True)
class EncoderGraph:
    """`model` are the bytes of an ONNX model, which finds its weights by name in `weights`. `inputs` are what it reads of
    the names above."""

    model: bytes
    weights: Mapping[str, Floats]
    inputs: frozenset[str]


def encoder_graph(config: Mapping[str, Any], weights: EncoderWeights, *, classifies: bool = False) -> EncoderGraph:
    """Ends with hidden states or, if it `classifies`, with the scores of a sequence. Raises LoadFailed."""
    family = FAMILIES.get(config.get("model_type", ""))
    if family is None or config.get("position_embedding_type", "absolute") != "absolute":
        raise LoadFailed(f"Models of the type {config.get('model_type')!r} need an onnx/model.onnx in their folder.")
    return _Builder(config, weights, family).build(classifies=classifies)


@dataclass(slots=True)
class _Builder:
    config: Mapping[str, Any]
    tensors: EncoderWeights
    family: Family
    weights: dict[str, Floats] = field(default_factory=dict)
    graph: GraphProto = field(init=False)

    def build(self, *, classifies: bool) -> EncoderGraph:
        layers = int(self.config["num_hidden_layers"])
        inputs = self._inputs()
        output = self._output(classifies)
        self.graph = GraphProto(inputs, [output])
        hidden = self._embedded()
        bias = self._relative_bias() if self.family.relative else ""
        for layer in range(layers):
            is_last = layer == layers - 1 and not classifies
            hidden = self._layer(f"encoder.layer.{layer}.", hidden, bias, HIDDEN if is_last else "")
        if classifies:
            self._classify(hidden)
        return EncoderGraph(self.graph.serialized(), self.weights, frozenset(value.name for value in inputs))

    def _inputs(self) -> list[Value]:
        inputs = [
            Value(IDS, ElementType.INT64, ("batch", "length")),
            Value(MASK, ElementType.INT32, ("batch", "length")),
            Value(POSITIONS, ElementType.INT64, ("length",)),
        ]
        if self._has_types:
            inputs.append(Value(TYPES, ElementType.INT64, ("batch", "length")))
        if self.family.relative:
            inputs.append(Value(BUCKETS, ElementType.INT64, ("length", "length")))
        return inputs

    def _output(self, classifies: bool) -> Value:
        if classifies:
            _, bias = self._head()
            return Value(LOGITS, ElementType.FLOAT, ("batch", len(self.tensors[f"{bias}.bias"])))
        return Value(HIDDEN, ElementType.FLOAT, ("batch", "length", int(self.config["hidden_size"])))

    @property
    def _has_types(self) -> bool:
        return f"{_EMBEDDINGS}.token_type_embeddings.weight" in self.tensors

    def _embedded(self) -> str:
        graph = self.graph
        words = graph.node("Gather", self._own(f"{_EMBEDDINGS}.word_embeddings.weight"), IDS)
        places = graph.node("Gather", self._own(f"{_EMBEDDINGS}.position_embeddings.weight"), POSITIONS)
        total = graph.node("Add", words, places)
        if self._has_types:
            types = graph.node("Gather", self._own(f"{_EMBEDDINGS}.token_type_embeddings.weight"), TYPES)
            total = graph.node("Add", total, types)
        scale, shift = self._norm(f"{_EMBEDDINGS}.LayerNorm")
        return graph.node("LayerNormalization", total, scale, shift, epsilon=self._epsilon, axis=-1)

    def _relative_bias(self) -> str:
        """Buckets → one number for each head: [1, heads, length, length]."""
        rows = self.graph.node("Gather", self._own(self.family.relative), BUCKETS)
        planes = self.graph.node("Transpose", rows, perm=(2, 0, 1))
        axis = self.graph.integers("relative_axis", [0])
        return self.graph.node("Unsqueeze", planes, axis)

    def _layer(self, name: str, hidden: str, bias: str, output: str) -> str:
        family, graph = self.family, self.graph
        three = [f"{name}{part}" for part in (family.query, family.key, family.value)]
        weight = self._weight(f"{name}qkv.weight", np.concatenate([self.tensors[f"{p}.weight"].T for p in three], 1))
        shift = self._weight(f"{name}qkv.bias", np.concatenate([self.tensors[f"{p}.bias"] for p in three]))
        heads = int(self.config["num_attention_heads"])
        optional = (MASK, "", bias) if bias else (MASK,)
        seen = graph.node("Attention", hidden, weight, shift, *optional, fused=True, num_heads=heads)
        hidden = self._joined(seen, hidden, f"{name}{family.output}", f"{name}{family.norm}")
        wide = graph.node("MatMul", hidden, self._turned(f"{name}intermediate.dense.weight"))
        wide = graph.node(self._activation, wide, self._own(f"{name}intermediate.dense.bias"), fused=True)
        return self._joined(wide, hidden, f"{name}output.dense", f"{name}output.LayerNorm", output)

    def _joined(self, new: str, before: str, dense: str, norm: str, output: str = "") -> str:
        """A dense layer's result added to what was there, at length one again."""
        made = self.graph.node("MatMul", new, self._turned(f"{dense}.weight"))
        scale, shift = self._norm(norm)
        inputs = (made, before, scale, shift, self._own(f"{dense}.bias"))
        return self.graph.node("SkipLayerNormalization", *inputs, fused=True, output=output, epsilon=self._epsilon)

    def _head(self) -> tuple[str, str]:
        """The dense layer and the scoring one."""
        if "classifier.out_proj.weight" in self.tensors:
            return "classifier.dense", "classifier.out_proj"
        return "pooler.dense", "classifier"

    def _classify(self, hidden: str) -> None:
        """By the first token's state."""
        graph = self.graph
        dense, scoring = self._head()
        first = graph.node("Gather", hidden, graph.integers("first_token", [0], is_scalar=True), axis=1)
        made = graph.node("Gemm", first, self._own(f"{dense}.weight"), self._own(f"{dense}.bias"), transB=1)
        bent = graph.node("Tanh", made)
        weights = (self._own(f"{scoring}.weight"), self._own(f"{scoring}.bias"))
        graph.node("Gemm", bent, *weights, transB=1, output=LOGITS)

    @property
    def _epsilon(self) -> float:
        return float(self.config.get("layer_norm_eps", _DEFAULT_EPSILON))

    @property
    def _activation(self) -> str:
        name = self.config.get("hidden_act", "gelu")
        if name not in _ACTIVATIONS:
            raise LoadFailed(f"The activation {name!r} is unknown; put an onnx/model.onnx into the model's folder.")
        return _ACTIVATIONS[name]

    def _norm(self, name: str) -> tuple[str, str]:
        return self._own(f"{name}.weight"), self._own(f"{name}.bias")

    def _own(self, name: str) -> str:
        return name if name in self.weights else self._weight(name, self.tensors[name])

    def _turned(self, name: str) -> str:
        return self._weight(name, self.tensors[name].T)

    def _weight(self, name: str, values: Floats) -> str:
        self.weights[name] = np.ascontiguousarray(values)
        return self.graph.external(name, ElementType.FLOAT, values.shape)


def relative_buckets(length: int, buckets: int, furthest: int = 128) -> Integers:
    """MPNet's (and T5's) numbers for how far the second token is from the first: half for each direction; near distances
    have one of their own, far ones share it by their logarithm."""
    places = np.arange(length)
    distance = places[:, None] - places[None, :]
    half = buckets // 2
    away = np.abs(distance)
    exact = half // 2
    with np.errstate(divide="ignore"):
        far = exact + (np.log(away / exact) / np.log(furthest / exact) * (half - exact))
    far = np.minimum(np.nan_to_num(far, neginf=0), half - 1)
    found: Integers = np.where(away < exact, away, far).astype(np.int64)
    found += (distance < 0) * half
    return found


def prefixes(config: Mapping[str, Any]) -> Sequence[str]:
    """What tensor names of such a model may begin with."""
    family = FAMILIES.get(config.get("model_type", ""))
    return (family.prefix,) if family else ()
