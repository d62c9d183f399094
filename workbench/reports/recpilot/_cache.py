"""One decoder step at a time with kept keys and values; equal to the module (a test says so).

Keys and values of the history are held once for its N visits.
"""

from __future__ import annotations

import torch

from workbench.reports.recpilot._network import Encoded, Network


class Cache:
    """What the decoder of a network keeps of `n` visits of each encoded history."""

    def __init__(self, module: Network, encoded: Encoded, n: int, longest: int) -> None:
        self.module, self.n, self.own = module, n, encoded.own
        decoder = module.t5.decoder
        first = decoder.block[0].layer[0].SelfAttention
        self.heads, self.size = first.n_heads, first.key_value_proj_dim
        self.bias = first.compute_bias(longest, longest)[0]
        self.hidden = torch.where(encoded.filled, 0.0, -torch.inf)[:, None, None, :]
        b, length, _ = encoded.states.shape
        shape = (b, length, self.heads, self.size)
        self.history, self.said = [], []
        for block in decoder.block:
            cross = block.layer[1].EncDecAttention
            keys, values = (part(encoded.states).view(shape) for part in (cross.k, cross.v))
            # as the products of every step want them
            told = keys.permute(0, 2, 3, 1).contiguous(), values.transpose(1, 2).contiguous()
            self.history.append(told)
            empty = torch.zeros(2, b * n, self.heads, longest, self.size)
            self.said.append((empty[0], empty[1]))

    def step(self, last: torch.Tensor, step: int) -> torch.Tensor:
        """Logits (B·n, size) after the tokens `last`, which stand at place `step`."""
        module = self.module
        decoder = module.t5.decoder
        x = module.t5.shared(last)
        for block, history, said in zip(decoder.block, self.history, self.said, strict=True):
            own, cross, inner = block.layer
            x = x + self._own(own, x, said, step)
            x = x + self._cross(cross, x, history)
            dense = inner.DenseReluDense
            x = x + dense.wo(dense.act(dense.wi(inner.layer_norm(x))))
        states = decoder.final_layer_norm(x).view(-1, self.n, x.shape[1])
        return module.logits(states, self.own).flatten(0, 1)

    def _own(self, layer, x, said, step: int) -> torch.Tensor:
        """What the visit itself says, up to this step."""
        attention, normed = layer.SelfAttention, layer.layer_norm(x)
        shape = (len(x), self.heads, self.size)
        query, key, value = (
            part(normed).view(shape) for part in (attention.q, attention.k, attention.v)
        )
        keys, values = said
        keys[:, :, step], values[:, :, step] = key, value
        weight = (keys[:, :, : step + 1] @ query[..., None])[..., 0]
        weight = torch.softmax(weight + self.bias[None, :, step, : step + 1], dim=-1)
        found = weight[:, :, None] @ values[:, :, : step + 1]
        return attention.o(found.flatten(1))

    def _cross(self, layer, x, history) -> torch.Tensor:
        """What the history says."""
        attention, (keys, values) = layer.EncDecAttention, history
        query = attention.q(layer.layer_norm(x)).view(-1, self.n, self.heads, self.size)
        weight = torch.softmax(query.transpose(1, 2) @ keys + self.hidden, dim=-1)
        return attention.o((weight @ values).transpose(1, 2).flatten(2).flatten(0, 1))
