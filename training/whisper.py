"""Whisper tiny.en out of a CTranslate2 file: tensor reader, mel filters, and the offline encoder used as teacher."""
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MEL_BINS, FFT, WIDTH, HEADS, BLOCKS = 80, 400, 384, 6, 4
_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_ct2(path):
    """CTranslate2 model.bin (binary version 6) -> {name: array}.

    Layout: u32 version, str spec, u32 revision, u32 count, then for each tensor
    str name, u8 rank, u32 shape[rank], u8 dtype, u32 bytes, data. A str is u16 length (its NUL included) and bytes.
    """
    data, at = open(path, "rb").read(), 0

    def take(fmt):
        nonlocal at
        value = struct.unpack_from("<" + fmt, data, at)[0]
        at += struct.calcsize("<" + fmt)
        return value

    def take_text():
        nonlocal at
        n = take("H")
        at += n
        return data[at - n:at - 1].decode()

    version, _, _, count = take("I"), take_text(), take("I"), take("I")
    if version != 6:
        raise ValueError(f"CTranslate2 binary version {version}, expected 6")
    tensors = {}
    for _ in range(count):
        name, rank = take_text(), take("B")
        shape = [take("I") for _ in range(rank)]
        dtype, size = np.dtype(_DTYPES[take("B")]), take("I")
        tensors[name] = np.frombuffer(data, dtype, size // dtype.itemsize, at).reshape(shape)
        at += size
    return tensors


def mel_filters():
    """(80, 201) Slaney-style triangles, 0-8000 Hz, area-normalised: what Whisper was trained on."""
    def to_mel(hz):
        return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1e-9) / 1000) / (np.log(6.4) / 27))

    def to_hz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))

    edges = to_hz(np.linspace(0, to_mel(np.float64(8000)), MEL_BINS + 2))
    ramps = edges[:, None] - np.linspace(0, 8000, FFT // 2 + 1)[None]
    width = np.diff(edges)
    lower, upper = -ramps[:-2] / width[:-1, None], ramps[2:] / width[1:, None]
    triangles = np.maximum(0, np.minimum(lower, upper)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return torch.from_numpy(triangles.astype(np.float32))


class Block(nn.Module):
    """Whisper's pre-norm transformer block; attention itself is the caller's (its mask differs)."""

    def __init__(self, width=WIDTH, hidden=4 * WIDTH):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def feed(self, x):
        return x + self.down(F.gelu(self.up(self.norm2(x))))

    def load(self, tensors, prefix):
        parts = {"norm1.weight": "self_attention/layer_norm/gamma", "norm1.bias": "self_attention/layer_norm/beta",
                 "norm2.weight": "ffn/layer_norm/gamma", "norm2.bias": "ffn/layer_norm/beta",
                 "qkv.weight": "self_attention/linear_0/weight", "qkv.bias": "self_attention/linear_0/bias",
                 "out.weight": "self_attention/linear_1/weight", "out.bias": "self_attention/linear_1/bias",
                 "up.weight": "ffn/linear_0/weight", "up.bias": "ffn/linear_0/bias",
                 "down.weight": "ffn/linear_1/weight", "down.bias": "ffn/linear_1/bias"}
        self.load_state_dict({mine: torch.from_numpy(tensors[f"{prefix}/{theirs}"].astype(np.float32))
                              for mine, theirs in parts.items()})


def heads(x):
    """(B, T, 384) -> (B, 6, T, 64)."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


class Teacher(nn.Module):
    """The offline encoder: the whole clip seen at once, 20 ms frames."""

    def __init__(self, tensors):
        super().__init__()
        def tensor(name):
            return torch.from_numpy(tensors["encoder/" + name].astype(np.float32))
        self.register_buffer("filters", mel_filters())
        self.register_buffer("window", torch.hann_window(FFT))
        self.conv1, self.conv2 = nn.Conv1d(MEL_BINS, WIDTH, 3, padding=1), nn.Conv1d(WIDTH, WIDTH, 3, 2, 1)
        for name in ("conv1", "conv2"):
            getattr(self, name).load_state_dict({part: tensor(f"{name}/{part}") for part in ("weight", "bias")})
        self.register_buffer("positions", tensor("position_encodings/encodings"))
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        for i, block in enumerate(self.blocks):
            block.load(tensors, f"encoder/layer_{i}")
        self.norm = nn.LayerNorm(WIDTH)
        self.norm.load_state_dict({"weight": tensor("layer_norm/gamma"), "bias": tensor("layer_norm/beta")})

    def log_mel(self, wave, hop=160):
        """(B, n) -> (B, 80, n // hop), Whisper's per-clip clamp included."""
        spectrum = torch.stft(wave, FFT, hop, window=self.window, return_complex=True)[..., :-1].abs().square()
        mel = (self.filters @ spectrum).clamp(min=1e-10).log10()
        return (torch.maximum(mel, mel.amax((1, 2), keepdim=True) - 8) + 4) / 4

    def forward(self, wave, key_frames=None):
        """(B, n) float -> (B, n // 320, 384). key_frames (B,): frames beyond are padding and are not attended to."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(self.log_mel(wave))))).transpose(1, 2)
        x = x + self.positions[:x.shape[1]]
        mask = None
        if key_frames is not None:
            mask = (torch.arange(x.shape[1])[None] < key_frames[:, None])[:, None, None]
        for block in self.blocks:
            q, k, v = (heads(part) for part in block.qkv(block.norm1(x)).chunk(3, -1))
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            x = block.feed(x + block.out(mixed.transpose(1, 2).flatten(2)))
        return self.norm(x)
