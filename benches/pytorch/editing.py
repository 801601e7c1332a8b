"""ANIMEGAN and StarGAN in PyTorch, built from the configuration that tachie writes.

The same networks as src/models/animegan and src/models/baselines/stargan, with the same names of parameters, so that weights
move over by name, and the same losses. A step has several rounds: the discriminator (and the classifier) moves in each, the
generator in the last. Memory is channels last, which was not measured against the other order.
"""

import torch
import torch.nn.functional as F
from torch import nn

from training import Training

HALF = dict(kernel_size=4, stride=2, padding=1)


def tiled(told, x):
    return told[:, :, None, None].expand(-1, -1, *x.shape[2:])


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.001)


def instance_norm(channels, eps):
    return nn.InstanceNorm2d(channels, eps=eps, affine=True)


class Editing(Training):
    """What trainings of both have in common: rounds, and labels that are asked for in each."""

    def __init__(self, folder, config, networks):
        schedule = config["schedule"]
        super().__init__(folder, config, networks, dict.fromkeys(networks, schedule["rate"]), (0.5, 0.999))
        self.rounds = schedule["judgements"]

    def decay(self):
        return self.config["schedule"]["average"]

    def draw(self):
        """The noise of a step: the labels of another picture of the batch, and a place between a real and a made one."""
        n = len(self.batch["images"])
        noise = {f"asked/{i}": self.batch["labels"][torch.randperm(n)] for i in range(self.rounds)}
        return noise | {f"epsilon/{i}": torch.rand(n, 1, 1, 1) for i in range(self.rounds)}

    def frozen(self, players, frozen):
        for player in players:
            if player in self.networks:
                self.networks[player].requires_grad_(not frozen)

    def moved(self, player, name, losses, weights):
        total = sum(weights.get(key, 1.0) * value for key, value in losses.items())
        self.move(player, total)
        return {f"{name}/{key}": value.detach() for key, value in (losses | {"total": total}).items()}


# ANIMEGAN.


class Encoding(nn.Module):
    def __init__(self, inputs, outputs, config):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, bias=False, **HALF)
        self.norm = batch_norm(outputs)
        if config["gated"]:
            self.gate = nn.Conv2d(inputs, outputs, **HALF)
        self.slope = config["slope"]

    def forward(self, x):
        y = F.leaky_relu(self.norm(self.conv(x)), self.slope)
        return y * torch.sigmoid(self.gate(x)) if hasattr(self, "gate") else y


class Transfer(nn.Module):
    """STGAN's unit, as its code has it."""

    def __init__(self, channels, inner, labels, kernel):
        super().__init__()
        self.up = nn.ConvTranspose2d(inner + labels, channels, **HALF)
        for name in ("reset", "update", "candidate"):
            self.add_module(name, nn.Conv2d(2 * channels, channels, kernel, padding=kernel // 2))

    def forward(self, features, state, told):
        state = self.up(torch.cat([state, tiled(told, state)], 1))
        both = torch.cat([features, state], 1)
        reset, update = torch.sigmoid(self.reset(both)), torch.sigmoid(self.update(both))
        kept = reset * state
        new = torch.tanh(self.candidate(torch.cat([features, kept], 1)))
        return torch.lerp(state, new, update), kept


class Decoding(nn.Module):
    def __init__(self, inputs, outputs, last):
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, bias=last, **HALF)
        if not last:
            self.norm = batch_norm(outputs)

    def forward(self, x):
        x = self.conv(x)
        return F.relu(self.norm(x)) if hasattr(self, "norm") else torch.tanh(x)


class Generator(nn.Module):
    def __init__(self, config, labels):
        super().__init__()
        layers, unit = config["layers"], config["transfer"]
        if (unit["mixture"], unit["state"], config["skips"], config["injections"]) != ("official", "stu", layers - 1, layers - 1):
            raise ValueError("a replica of STGAN's units on all skips alone")

        def width(i):
            return config["channels"] << i

        self.encoder = nn.ModuleList(Encoding(width(i - 1) if i else 3, width(i), config) for i in range(layers))
        self.transfer = nn.ModuleList(Transfer(width(i), width(i + 1), labels, unit["kernel"]) for i in range(layers - 1))

        def decoding(i):
            inner = width(i) if i == layers - 1 else width(i + 1) + width(i)
            return Decoding(inner + labels, width(i) if i else 3, not i)

        self.decoder = nn.ModuleList(decoding(i) for i in range(layers))

    def encode(self, pictures):
        features = []
        x = pictures.contiguous(memory_format=torch.channels_last)
        for layer in self.encoder:
            x = layer(x)
            features.append(x)
        return features

    def decode(self, features, told):
        chosen, state = list(features), features[-1]
        for i in reversed(range(len(self.transfer))):
            chosen[i], state = self.transfer[i](features[i], state, told)
        x = None
        for i in reversed(range(len(self.decoder))):
            parts = [chosen[i]] if x is None else [x, chosen[i]]
            x = self.decoder[i](torch.cat([*parts, tiled(told, parts[0])], 1))
        return x


class Layer(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, bias=False, **HALF)
        self.norm = instance_norm(outputs, 1e-6)


class Head(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.hidden, self.out = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)


class Judge(nn.Module):
    def __init__(self, config, head, outputs):
        super().__init__()
        judge, self.slope, self.head = config["judge"], config["generator"]["slope"], head
        widths = [3] + [judge["channels"] << i for i in range(judge["layers"])]
        self.layers = nn.ModuleList(Layer(*pair) for pair in zip(widths, widths[1:]))
        inputs = widths[-1] * (config["resolution"] >> judge["layers"]) ** 2
        self.add_module(head, Head(inputs, judge["hidden"], outputs))

    def forward(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.leaky_relu(layer.norm(layer.conv(x)), self.slope)
        head = getattr(self, self.head)
        return head.out(F.leaky_relu(head.hidden(x.contiguous().flatten(1)), self.slope))


class Animegan(Editing):
    def __init__(self, folder, config):
        labels = len(config["tags"]["tags"])
        if config["objective"]["adversarial"] != "vanilla" or not config["judge"]["separate_classifier"]:
            raise ValueError("a replica of ANIMEGAN's own losses and classifier alone")
        super().__init__(folder, config, {
            "g": Generator(config["generator"], labels),
            "d": Judge(config, "adv", 1),
            "c": Judge(config, "cls", labels),
        })

    def step(self, noise):
        self.number += 1
        pictures, labels, generator = self.batch["images"], self.batch["labels"], self.networks["g"]
        losses = {}
        for i in range(self.rounds):
            asked, moves = noise[f"asked/{i}"], i + 1 == self.rounds
            with torch.set_grad_enabled(moves):
                features = generator.encode(pictures)
                made = generator.decode(features, asked - labels)
                kept = generator.decode(features, torch.zeros_like(labels)) if moves else None
            self.frozen("dc", False)
            judge, classifier = self.networks["d"], self.networks["c"]
            losses |= self.moved("d", "discriminator", {
                "adv_real": F.softplus(-judge(pictures)).mean(), "adv_fake": F.softplus(judge(made.detach())).mean()}, {})
            named = F.binary_cross_entropy_with_logits(classifier(pictures), labels)
            losses |= self.moved("c", "classifier", {"cls_real": named}, {})
        self.frozen("dc", True)
        named = F.binary_cross_entropy_with_logits(classifier(made), asked)
        weights = self.config["objective"]
        losses |= self.moved("g", "generator", {
            "adv": F.softplus(-judge(made)).mean(), "cls": named, "rec": F.l1_loss(kept, pictures)},
            {"cls": weights["attributes"], "rec": weights["reconstruction"]})
        self.average()
        return losses


# StarGAN.


def normed(inputs, outputs, kernel, **kw):
    return nn.ModuleDict({"conv": nn.Conv2d(inputs, outputs, kernel, bias=False, **kw), "norm": instance_norm(outputs, 1e-5)})


def through(layer, x):
    return layer["norm"](layer["conv"](x))


class StarGenerator(nn.Module):
    def __init__(self, config, labels):
        super().__init__()
        first = config["channels"]
        inner = 4 * first
        self.input = normed(3 + labels, first, 7, padding=3)
        self.down = nn.ModuleList(normed(first << i, first << i + 1, 4, stride=2, padding=1) for i in range(2))
        self.blocks = nn.ModuleList(nn.ModuleDict({
            "conv0": nn.Conv2d(inner, inner, 3, padding=1, bias=False), "norm0": instance_norm(inner, 1e-5),
            "conv1": nn.Conv2d(inner, inner, 3, padding=1, bias=False), "norm1": instance_norm(inner, 1e-5),
        }) for _ in range(config["blocks"]))
        self.up = nn.ModuleList(nn.ModuleDict({
            "conv": nn.ConvTranspose2d(inner >> i, inner >> i + 1, bias=False, **HALF),
            "norm": instance_norm(inner >> i + 1, 1e-5),
        }) for i in range(2))
        self.output = nn.Conv2d(first, 3, 7, padding=3, bias=False)

    def forward(self, x, told):
        x = torch.cat([x, tiled(told, x)], 1).contiguous(memory_format=torch.channels_last)
        for layer in [self.input, *self.down]:
            x = F.relu(through(layer, x))
        for block in self.blocks:
            y = block["conv1"](F.relu(block["norm0"](block["conv0"](x))))
            x = x + block["norm1"](y)
        for layer in self.up:
            x = F.relu(through(layer, x))
        return torch.tanh(self.output(x))


class StarJudge(nn.Module):
    def __init__(self, config, labels):
        super().__init__()
        halvings = config["resolution"].bit_length() - 2
        widths = [3] + [config["judge_channels"] << i for i in range(halvings)]
        self.layers = nn.ModuleList(nn.Conv2d(*pair, **HALF) for pair in zip(widths, widths[1:]))
        self.src = nn.Conv2d(widths[-1], 1, 3, padding=1, bias=False)
        self.cls = nn.Conv2d(widths[-1], labels, 2, bias=False)

    def forward(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.01)
        return self.src(x), self.cls(x).flatten(1)


def summed(logits, labels):
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / len(labels)


class Stargan(Editing):
    def __init__(self, folder, config):
        labels = len(config["tags"]["tags"])
        super().__init__(folder, config, {"g": StarGenerator(config, labels), "d": StarJudge(config, labels)})

    def step(self, noise):
        self.number += 1
        pictures, labels = self.batch["images"], self.batch["labels"]
        generator, judge, losses = self.networks["g"], self.networks["d"], {}
        for i in range(self.rounds):
            asked, moves = noise[f"asked/{i}"], i + 1 == self.rounds
            with torch.set_grad_enabled(moves):
                made = generator(pictures, asked)
            self.frozen("d", False)
            losses |= self.of_judge(judge, pictures, labels, made.detach(), noise[f"epsilon/{i}"])
        self.frozen("d", True)
        scores, said = judge(made)
        losses |= self.moved("g", "generator", {
            "adv": -scores.mean(), "cls": summed(said, asked), "rec": F.l1_loss(generator(made, labels), pictures)},
            {"cls": self.config["attributes"], "rec": self.config["cycle"]})
        self.average()
        return losses

    def of_judge(self, judge, pictures, labels, made, epsilon):
        (real, said), (fake, _) = judge(pictures), judge(made)
        at = torch.lerp(made, pictures, epsilon).requires_grad_(True)
        gradient, = torch.autograd.grad(judge(at)[0].sum(), at, create_graph=True)
        norm = gradient.flatten(1).square().sum(1).add(1e-24).sqrt()
        return self.moved("d", "discriminator", {
            "adv": fake.mean() - real.mean(), "cls_real": summed(said, labels), "gp": (norm - 1).square().mean()},
            {"cls_real": self.config["attributes"], "gp": self.config["penalty"]})


TRAININGS = {"animegan": Animegan, "stargan": Stargan}
