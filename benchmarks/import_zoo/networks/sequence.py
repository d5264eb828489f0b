"""Networks for text, sound, sensor series and video."""

# ruff: noqa: D102 - a forward pass is what its class says

import math

import torch
from torch import nn
from torch.nn import functional

from .network import Input, Network

VOCABULARY, STEPS = 97, 13
TEXT = (Input((STEPS,), "tokens", VOCABULARY), Input((STEPS,), "mask"))


class SelfAttention(nn.Module):
    """BERT's attention, written out with matrix products and an additive mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = self.split(self.query(x)), self.split(self.key(x)), self.value(x)
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.shape[-1])
        weights = torch.softmax(scores + mask, dim=-1)
        y = torch.matmul(weights, self.split(value)).permute(0, 2, 1, 3).contiguous()
        return y.view(x.shape)


class BertLayer(nn.Module):
    """Attention and a GELU block, each with a residual and LayerNorm after it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads)
        self.output = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width, eps=1e-12)
        self.intermediate = nn.Linear(width, 4 * width)
        self.shrink = nn.Linear(4 * width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.norm1(self.output(self.attention(x, mask)) + x)
        return self.norm2(self.shrink(functional.gelu(self.intermediate(x))) + x)


class Bert(nn.Module):
    """BERT encoder: token ids and attention mask in, all states and the pooled one joined."""

    def __init__(self, width: int = 64, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, width)
        self.position_embeddings = nn.Embedding(32, width)
        self.token_type_embeddings = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(BertLayer(width, heads) for _ in range(layers))
        self.pooler = nn.Linear(width, width)

    def additive_mask(self, mask: torch.Tensor) -> torch.Tensor:
        """(N, T) of 0 and 1 → (N, 1, 1, T) of a very negative number and 0."""
        return (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        positions = torch.arange(ids.shape[1]).unsqueeze(0)
        kinds = torch.zeros_like(ids)
        x = self.word_embeddings(ids) + self.token_type_embeddings(kinds)
        x = self.norm(x + self.position_embeddings(positions))
        additive = self.additive_mask(mask)
        for layer in self.layers:
            x = layer(x, additive)
        return x, torch.tanh(self.pooler(x[:, 0]))


class IndexedBert(Bert):
    """The same, with the mask looked up by batch and key index as new transformers do it."""

    def additive_mask(self, mask: torch.Tensor) -> torch.Tensor:
        batch = torch.arange(mask.shape[0])[:, None, None, None]
        keys = torch.arange(mask.shape[1])[None, None, None, :]
        seen = mask.bool()[batch, keys].expand(-1, 1, mask.shape[1], -1)
        return torch.where(seen, 0.0, torch.finfo(torch.float32).min)


class TransformerEncoder(nn.Module):
    """torch's own encoder layers, norm first, with a key padding mask; mean over the steps."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.position = nn.Parameter(torch.zeros(1, STEPS, width))
        layer = nn.TransformerEncoderLayer(
            width, 3, 96, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 6)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.encoder(self.embedding(ids) + self.position, src_key_padding_mask=mask == 0)
        return self.head(x.mean(1))


class LstmTagger(nn.Module):
    """Two bidirectional LSTM layers over sensor values, an answer a step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(7, 24, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(self.head(self.lstm(x)[0]), dim=-1)


class LstmClassifier(nn.Module):
    """One LSTM over tokens; the last state is the answer's input."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 16)
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        _, (state, _) = self.lstm(self.embedding(ids))
        return self.head(state[-1])


class GruClassifier(nn.Module):
    """Two GRU layers; the mean of all states is the answer's input."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(7, 20, num_layers=2, batch_first=True)
        self.head = nn.Linear(20, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(x)[0].mean(1))


class ConvBlock1d(nn.Module):
    """A dilated residual block of a temporal convolutional network."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + functional.silu(self.norm(self.conv(x)))


class AudioNet(nn.Module):
    """1-D convolutions over a waveform, as in M5 (Dai et al. 2016), then dilated blocks."""

    def __init__(self, classes: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *(nn.Conv1d(1, 24, 40, stride=4), nn.BatchNorm1d(24), nn.ReLU(), nn.MaxPool1d(4)),
            *(nn.Conv1d(24, 32, 3), nn.BatchNorm1d(32), nn.ReLU(), nn.AvgPool1d(2)),
        )
        self.blocks = nn.Sequential(*(ConvBlock1d(32, dilation) for dilation in (1, 2, 4)))
        self.head = nn.Linear(32, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)).mean(-1))


class VideoNet(nn.Module):
    """3-D convolutions over a clip, C3D's (Tran et al. 2014) with BatchNorm, then flatten."""

    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv3d(3, 16, 3, padding=1, bias=False), nn.BatchNorm3d(16), nn.ReLU()),
            nn.MaxPool3d((1, 2, 2)),
            *(nn.Conv3d(16, 24, 3, padding=1, groups=2), nn.BatchNorm3d(24), nn.ReLU()),
            nn.MaxPool3d(3, stride=2, padding=1),
            *(nn.Conv3d(24, 32, (1, 3, 3), stride=(1, 2, 2)), nn.BatchNorm3d(32), nn.ReLU()),
        )
        self.head = nn.Linear(32 * 3 * 2 * 4, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.flatten(self.features(x), 1))


NETWORKS = (
    Network("bert", "BERT", Bert, TEXT),
    Network("bert_indexed_mask", "BERT", IndexedBert, TEXT),
    Network("transformer_encoder", "Transformer", TransformerEncoder, TEXT),
    Network("lstm_tagger", "LSTM", LstmTagger, (Input((STEPS, 7)),)),
    Network("lstm_classifier", "LSTM", LstmClassifier, TEXT[:1]),
    Network("gru_classifier", "GRU", GruClassifier, (Input((STEPS, 7)),)),
    Network("audio_cnn", "1-D CNN", AudioNet, (Input((1, 640)),), plain=True),
    Network("video_cnn", "3-D CNN", VideoNet, (Input((3, 5, 20, 36)),), plain=True),
)
