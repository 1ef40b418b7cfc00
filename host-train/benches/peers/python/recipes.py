"""One training step of each system, written plainly in PyTorch: recipes.py CASE VIDEOS CLIPS DIM WARM_UP STEPS.

Every case makes its batch from features in memory, runs forward, backward and the published optimiser's step, and reads
the loss. Layers, losses and optimisers are those of the published systems; sizes are the benchmark's.
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from timing import report

SEGMENTS = 32

# Small on both sides: on made-up features the published step sizes saturate the scores within a few steps, and gradients
# behind a saturated sigmoid are denormal numbers, which processors are tens of times slower at.
LEARNING_RATE = 1e-6


def mlp(sizes, dropout, last):
    """Linear layers with ReLU after the first, dropout after each hidden one."""
    layers = []
    for index, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        layers.append(nn.Linear(inputs, outputs))
        if index == 0:
            layers.append(nn.ReLU())
        if index < len(sizes) - 2:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, *last)


def segment_means(table):
    """`[videos, clips, D]` averaged into `[videos, 32, D]`."""
    edges = np.linspace(0, table.shape[1], SEGMENTS + 1, dtype=int)
    parts = [table[:, a : max(b, a + 1)].mean(1) for a, b in zip(edges, edges[1:])]
    return torch.stack(parts, 1)


class Sultani:
    """The baseline, as released: 32 segments of each video, brought to length 1."""

    def __init__(self, table):
        self.table, self.videos, dim = F.normalize(segment_means(table), dim=2), len(table), table.shape[2]
        self.model = mlp([dim, 512, 32, 1], 0.6, [nn.Sigmoid()])
        self.optimiser = torch.optim.Adagrad(self.model.parameters(), lr=LEARNING_RATE, eps=1e-8)

    def step(self):
        scores = self.model(self.table[torch.randperm(self.videos)]).squeeze(-1)
        normal, abnormal = scores.chunk(2)
        rank = F.relu(1 + normal.amax(1)[:, None] - abnormal.amax(1)[None, :]).sum() / len(normal)
        size = sum(weight.square().sum() for weight in self.model.parameters() if weight.dim() > 1)
        loss = rank + 8e-5 * abnormal.diff(dim=1).square().sum() + 8e-5 * abnormal.sum() + 0.001 * size
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


class Mist:
    """First stage: 32 sub-bags of 4 clips from each video."""

    CLIPS_PER_SUB_BAG, TOPK = 4, 7

    def __init__(self, table):
        self.table, (self.videos, self.clips, dim) = table, table.shape
        self.model = mlp([dim, 512, 32, 1], 0.6, [nn.Sigmoid()])
        self.optimiser = torch.optim.Adagrad(self.model.parameters(), lr=LEARNING_RATE, weight_decay=0.001)

    def batch(self):
        span = self.CLIPS_PER_SUB_BAG
        starts = np.linspace(0, self.clips - span, SEGMENTS + 1, dtype=int)[:-1]
        shift = np.random.randint(0, max(1, (self.clips - span) // SEGMENTS))
        rows = np.clip(starts + shift, 0, self.clips - span)[:, None] + np.arange(span)
        order = torch.randperm(self.videos)
        return self.table[order][:, rows.ravel()]

    def step(self):
        scores = self.model(self.batch()).squeeze(-1)
        normal, abnormal = scores.chunk(2)
        top = [half.topk(self.TOPK, 1).values.mean(1) for half in (normal, abnormal)]
        rank = F.relu(1 + top[0][:, None] - top[1][None, :]).mean()
        loss = rank + 0.01 * abnormal.mean()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 10)
        self.optimiser.step()
        return loss.item()


class NonLocal(nn.Module):
    def __init__(self, width):
        super().__init__()
        half = width // 2
        self.theta, self.phi, self.g = (nn.Conv1d(width, half, 1) for _ in range(3))
        self.out = nn.Sequential(nn.Conv1d(half, width, 1), nn.BatchNorm1d(width))

    def forward(self, x):
        relation = self.theta(x).transpose(1, 2) @ self.phi(x) / x.shape[-1]
        taken = relation @ self.g(x).transpose(1, 2)
        return self.out(taken.transpose(1, 2)) + x


class TemporalNetwork(nn.Module):
    def __init__(self, dim):
        super().__init__()
        width = dim // 4
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv1d(dim, width, 3, padding=d, dilation=d), nn.ReLU(), nn.BatchNorm1d(width))
            for d in (1, 2, 4)
        )
        self.reduce = nn.Sequential(nn.Conv1d(dim, width, 1, bias=False), nn.ReLU())
        self.non_local = NonLocal(width)
        self.join = nn.Sequential(nn.Conv1d(dim, dim, 3, padding=1, bias=False), nn.ReLU(), nn.BatchNorm1d(dim))

    def forward(self, x):
        x = x.transpose(1, 2)
        parts = [branch(x) for branch in self.branches] + [self.non_local(self.reduce(x))]
        return (self.join(torch.cat(parts, 1)) + x).transpose(1, 2)


class Rtfm:
    TOPK = 3

    def __init__(self, table):
        self.table, self.videos, dim = segment_means(table), len(table), table.shape[2]
        self.network, self.dropout = TemporalNetwork(dim), nn.Dropout(0.7)
        self.head = nn.ModuleList([nn.Linear(dim, 512), nn.Linear(512, 128), nn.Linear(128, 1)])
        parameters = [*self.network.parameters(), *self.head.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=LEARNING_RATE, weight_decay=0.005)

    def step(self):
        features = self.dropout(self.network(self.table[torch.randperm(self.videos)]))
        hidden = self.dropout(F.relu(self.head[0](features)))
        hidden = self.dropout(F.relu(self.head[1](hidden)))
        scores = torch.sigmoid(self.head[2](hidden)).squeeze(-1)
        magnitudes = features.norm(p=2, dim=2)
        kept = magnitudes.detach() * self.dropout(torch.ones_like(magnitudes))
        chosen = kept.topk(self.TOPK, 1).indices
        picked = features.gather(1, chosen[..., None].expand(-1, -1, features.shape[2]))
        normal, abnormal = picked.mean(1).norm(p=2, dim=1).chunk(2)
        truth = torch.cat([torch.zeros(self.videos // 2), torch.ones(self.videos // 2)])
        bag = scores.gather(1, chosen).mean(1)
        sequence = scores[self.videos // 2 :].reshape(-1)
        loss = (
            F.binary_cross_entropy(bag, truth)
            + 1e-4 * (((100 - abnormal).abs() + normal) ** 2).mean()
            + 8e-3 * sequence.norm()
            + 8e-4 * (sequence[1:] - sequence[:-1]).pow(2).sum()
        )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


class CuGenerator:
    HEADS, ALPHA = 2, 10.0

    def __init__(self, table):
        self.table, self.videos, dim = segment_means(table), len(table), table.shape[2]
        self.heads = nn.ModuleList(mlp([dim, 512, 128, 1], 0.6, []) for _ in range(self.HEADS))
        self.optimiser = torch.optim.Adadelta(self.heads.parameters(), lr=LEARNING_RATE)

    def step(self):
        batch = self.table[torch.randperm(self.videos)]
        logits = torch.stack([head(batch).squeeze(-1) for head in self.heads])
        labels = torch.sigmoid(logits.mean(0)).max(1).values
        normal, abnormal = labels.chunk(2)
        parts = logits[:, self.videos // 2 :]
        directions = F.normalize(parts.softmax(2), dim=2)
        diversity = (directions[0] * directions[1]).sum(1).mean()
        excess = (parts.norm(dim=2).mean(0) - parts.mean(0).norm(dim=1)).mean()
        loss = F.relu(1 - abnormal + normal).mean() + self.ALPHA * (diversity + excess)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


class CuClassifier:
    """Clips beside the mean of the five before them, on given pseudo labels."""

    WINDOW, CLIPS = 5, 2048

    def __init__(self, table):
        self.table, (self.videos, self.clips, dim) = table, table.shape
        self.model = mlp([2 * dim, 512, 32, 2], 0.8, [])
        self.labels = torch.rand(self.videos, self.clips)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE, weight_decay=5e-4)

    def step(self):
        drawn = torch.randperm(self.videos * self.clips)[: self.CLIPS]
        video, clip = drawn // self.clips, drawn % self.clips
        memory = torch.zeros(self.CLIPS, self.table.shape[2])
        counted = clip.clamp(1, self.WINDOW)
        for back in range(1, self.WINDOW + 1):
            earlier = torch.where(clip == 0, 0, clip - back)
            inside = ((back <= counted) & (earlier >= 0)).float()[:, None]
            memory += inside * self.table[video, earlier.clamp(min=0)]
        inputs = torch.cat([self.table[video, clip], memory / counted[:, None]], 1)
        target = self.labels[video, clip]
        log = self.model(inputs).log_softmax(1)
        loss = -(target * log[:, 1] + (1 - target) * log[:, 0]).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


class Arms:
    WIDTH, HEADS, RATIO = 1024, 8, 0.22

    def __init__(self, table):
        self.table, self.videos, dim = segment_means(table), len(table), table.shape[2]
        self.conv = nn.Conv1d(dim, self.WIDTH, 3, padding=1)
        self.attention = nn.MultiheadAttention(self.WIDTH, self.HEADS, batch_first=True)
        self.norm, self.fc1, self.fc2 = nn.LayerNorm(self.WIDTH), nn.Linear(self.WIDTH, 32), nn.Linear(32, 1)
        layers = nn.ModuleList([self.conv, self.attention, self.norm, self.fc1, self.fc2])
        self.optimiser = torch.optim.Adam(layers.parameters(), lr=LEARNING_RATE, weight_decay=5e-4)

    def step(self):
        batch = self.table[torch.randperm(self.videos)]
        near = F.relu(self.conv(batch.transpose(1, 2))).transpose(1, 2)
        far = self.attention(near, near, near, need_weights=False)[0]
        scores = torch.sigmoid(self.fc2(F.relu(self.fc1(self.norm(near + far))))).squeeze(-1)
        normal, abnormal = scores.mean(1).chunk(2)
        loss = (normal + F.relu(self.RATIO - abnormal) / self.RATIO).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


CASES = {
    "sultani": Sultani,
    "mist": Mist,
    "rtfm": Rtfm,
    "cu-generator": CuGenerator,
    "cu-classifier": CuClassifier,
    "arms": Arms,
}


def main() -> None:
    case, *sizes = sys.argv[1:]
    videos, clips, dim, warm_up, steps = map(int, sizes)
    torch.manual_seed(1)
    system = CASES[case](torch.rand(videos, clips, dim))
    report(system.step, warm_up, steps)


main()
