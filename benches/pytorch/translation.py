"""anime2clothing and pix2pix in PyTorch, at their finished size, built from the configuration that tachie writes.

The same networks as src/models/anime2clothing, src/models/baselines/pix2pix and src/nn/patch.rs without fades, with the
same names of parameters, so that weights move over by name, and the same losses. Each network has the order of memory that
was the faster one on the CPU: channels last, but for pix2pix's generator. Spectral norms are computed once a loss, not with
every pass, as tachie does.
"""

import torch
import torch.nn.functional as F
from torch import nn

from training import Training

SLOPE = 0.2


def channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


def leaky():
    return nn.LeakyReLU(SLOPE, inplace=True)


def scaled(channels, width):
    # Half away from zero, as Rust rounds.
    return max(1, int(channels * width + 0.5))


# anime2clothing.


def twice(inputs, outputs, before=()):
    """Two times a convolution, batch norm, leaky ReLU."""
    layers = list(before)
    for inputs in (inputs, outputs):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), leaky()]
    return nn.Sequential(*layers)


class Named(nn.Module):
    """One module under the name that the authors give it."""

    def __init__(self, name, module):
        super().__init__()
        self.add_module(name, module)
        self.inner = name

    def forward(self, x):
        return getattr(self, self.inner)(x)


class UNet(nn.Module):
    def __init__(self, shape):
        super().__init__()
        side, width = shape["resolution"], shape["width"]

        def features(resolution):
            return scaled(128 if resolution <= 16 else 64 if resolution <= 128 else 32, width)

        def up(inputs, outputs):
            return Named("conv", twice(inputs, outputs, [nn.Upsample(scale_factor=2, mode="nearest")]))

        self.inc = Named("conv", twice(3, features(side)))
        self.down, self.up, at = [], [], side
        while at > 2:
            block = Named("mpconv", twice(features(at), features(at // 2), [nn.AvgPool2d(2)]))
            self.down.append(f"down{len(self.down)}")
            self.add_module(self.down[-1], block)
            at //= 2
        while at < side:
            number = len(self.up) + 1 if self.up else 0
            self.up.append(f"up{number}")
            self.add_module(self.up[-1], up((2 if number else 1) * features(at), features(2 * at)))
            at *= 2
            head = nn.Sequential(nn.Conv2d(features(at), 3, 1, bias=False))
            self.add_module(f"rgb_layer{at}", Named("rgb_layers_", head))
        self.last = f"rgb_layer{side}"

    def forward(self, pictures):
        x, kept = self.inc(channels_last(pictures)), []
        for name in self.down:
            x = getattr(self, name)(x)
            kept.append(x)
        kept.pop()
        for i, name in enumerate(self.up):
            if i:
                x = torch.cat([kept.pop(), x], 1)
            x = getattr(self, name)(x)
        return torch.tanh(getattr(self, self.last)(x))


class Spectral(nn.Module):
    """The weight of a convolution, divided by its largest singular value."""

    def __init__(self, inputs, outputs, kernel):
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.register_buffer("weight_u", torch.empty(outputs))
        self.register_buffer("weight_v", torch.empty(inputs * kernel * kernel))

    def weight(self):
        flat = self.weight_orig.flatten(1)
        with torch.no_grad():
            v = F.normalize(flat.t() @ self.weight_u, dim=0, eps=1e-12)
            u = F.normalize(flat @ v, dim=0, eps=1e-12)
            self.weight_u.copy_(u)
            self.weight_v.copy_(v)
        return self.weight_orig / torch.dot(u, flat @ v)


class Tower(nn.Module):
    def __init__(self, shape, base, inputs):
        super().__init__()
        levels = base.bit_length() - 2

        def channels(level):
            return scaled(min(2048 >> level, 128), shape["judge_width"])

        def entry(i):
            return nn.ModuleList([Spectral(inputs, channels(levels - i), 1)])

        def halving(i):
            before, after = channels(levels - i), channels(levels - i - 1)
            return nn.ModuleDict({"0": Spectral(before, after, 3), "2": Spectral(after, after, 3)})

        self.rgb_layers_ = nn.ModuleList(entry(i) for i in range(levels))
        last = {"1": Spectral(channels(1) + 1, channels(1), 3), "3": Spectral(channels(1), channels(0), 4),
                "5": nn.Conv2d(channels(0), 1, 1, bias=False)}
        self.lod_layers_ = nn.ModuleList([*(halving(i) for i in range(levels - 1)), nn.ModuleDict(last)])

    def ready(self):
        """The normalised weights of one loss."""
        *halvings, head = self.lod_layers_
        return (self.rgb_layers_[0][0].weight(), [(block["0"].weight(), block["2"].weight()) for block in halvings],
                head["1"].weight(), head["3"].weight(), head["5"].weight)


def layer(x, weight, padding):
    return F.leaky_relu(F.conv2d(x, weight, padding=padding), SLOPE, inplace=True)


def tower(weights, x):
    """Scores, and the features after each halving."""
    entry, halvings, wide, narrow, last = weights
    x, features = layer(x, entry, 0), []
    for one, two in halvings:
        x = F.avg_pool2d(layer(layer(x, one, 1), two, 1), 2)
        features.append(x)
    deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean(0)
    x = channels_last(torch.cat([x, deviation.expand(len(x), 1, -1, -1)], 1))
    return F.conv2d(layer(layer(x, wide, 1), narrow, 0), last), features


class Scales(nn.Module):
    """Three towers, which see a pyramid of the picture, or the picture itself."""

    def __init__(self, shape, inputs, pyramid):
        super().__init__()
        self.pyramid = pyramid
        for i, name in enumerate(("big_model", "middle_model", "small_model")):
            if shape["resolution"] >> 2 * i >= 4:
                self.add_module(name, Tower(shape, shape["resolution"] >> 2 * i, inputs))

    def ready(self):
        weights = [tower.ready() for tower in self.children()]

        def judge(pictures):
            pictures, verdicts = channels_last(pictures), []
            for i, of_tower in enumerate(weights):
                if i and self.pyramid:
                    pictures = F.avg_pool2d(pictures, 4)
                verdicts.append(tower(of_tower, pictures))
            return verdicts

        return judge


def summed(verdicts, wanted):
    """Squares of the distance of all towers' scores from the wanted one."""
    return sum(F.mse_loss(scores, torch.full_like(scores, wanted)) for scores, _ in verdicts)


class Clothing(Training):
    """Configuration (j)."""

    def __init__(self, folder, config):
        shape = config["shape"]
        wanted = {"translator": "growing", "domain": "scales", "real": "patches", "adversarial": "leastsquares",
                  "compared": "input", "generator_score": "scores", "matching": True}
        if any(config[name] != value for name, value in wanted.items()) or "spectral" not in config["norm"]:
            raise ValueError("no replica of any configuration but (j)")
        networks = {"g": UNet(shape), "t": Scales(shape, 6, True), "d": Scales(shape, 3, False)}
        rates = dict.fromkeys(networks, config["rate"])
        super().__init__(folder, config, networks, rates, (0.5, config["beta2"]))

    def draw(self):
        return {}

    def decay(self):
        return 0.0

    def matched(self, found, wanted):
        return sum(weight * F.l1_loss(mine, other.detach())
                   for (_, mine), (_, other) in zip(found, wanted)
                   for weight, mine, other in zip(self.config["weights"], mine, other))

    def step(self, _):
        self.number += 1
        seen, shown, others = (self.batch[name] for name in ("sources", "images", "others"))
        made = self.networks["g"](seen)
        losses = self.of_generator(seen, shown, made)
        made = made.detach()
        losses |= self.of_domain(*(torch.cat([seen, picture], 1) for picture in (made, shown, others)))
        losses |= self.of_real(made, shown)
        self.average()
        return losses

    def moved(self, player, losses, total):
        self.move(player, total)
        name = {"g": "generator", "t": "domain discriminator", "d": "discriminator"}[player]
        return {f"{name}/{term}": value.detach() for term, value in (losses | {"total": total}).items()}

    def of_generator(self, seen, shown, made):
        for player in "td":
            self.networks[player].requires_grad_(False)
        domain, real = self.networks["t"].ready(), self.networks["d"].ready()
        verdicts = domain(torch.cat([seen, made], 1))
        losses = {"adv_domain": summed(verdicts, 1.0)}
        with torch.no_grad():
            wanted, input_features = domain(torch.cat([seen, shown], 1)), real(seen)
        losses["features_domain"] = self.matched(verdicts, wanted)
        verdicts = real(made)
        losses |= {"adv_real": summed(verdicts, 1.0), "consistency": self.matched(verdicts, input_features),
                   "l1": F.l1_loss(made, shown)}
        total = sum(losses.values()) + (self.config["l1"] - 1) * losses["l1"]
        losses = self.moved("g", losses, total)
        for player in "td":
            self.networks[player].requires_grad_(True)
        return losses

    def of_domain(self, made, shown, others):
        judge = self.networks["t"].ready()
        losses = {"fake": summed(judge(made), 0.0), "real": summed(judge(shown), 1.0), "other": summed(judge(others), 0.0)}
        return self.moved("t", losses, sum(losses.values()) / 3)

    def of_real(self, made, shown):
        judge = self.networks["d"].ready()
        losses = {"fake": summed(judge(made), 0.0), "real": summed(judge(shown), 1.0)}
        return self.moved("d", losses, sum(losses.values()) / 2)


# pix2pix.


class Normal(nn.Module):
    """A convolution or its transpose, and a batch norm where there is one."""

    def __init__(self, conv, channels=None):
        super().__init__()
        self.conv = conv
        if channels:
            self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        x = self.conv(x)
        return self.norm(x) if hasattr(self, "norm") else x


class Pix2pixUNet(nn.Module):
    def __init__(self, side, channels):
        super().__init__()
        self.halvings = side.bit_length() - 1

        def features(i):
            return channels << min(i, 3)

        def down(i):
            conv = nn.Conv2d(features(i - 1) if i else 3, features(i), 4, 2, 1, bias=False)
            return Normal(conv, features(i) if 0 < i < self.halvings - 1 else None)

        def up(i):
            inputs = features(i) if i + 1 == self.halvings else 2 * features(i)
            outputs = features(i - 1) if i else 3
            return Normal(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=not i), outputs if i else None)

        self.down = nn.ModuleList(down(i) for i in range(self.halvings))
        self.up = nn.ModuleList(up(i) for i in range(self.halvings))

    def drops(self):
        """The layers after which half of the features are dropped, and channels and side of what they give."""
        return {i: (self.up[i].conv.out_channels, 1 << self.halvings - i) for i in range(4, self.halvings - 1)}

    def forward(self, pictures, noise):
        x, kept = pictures, []
        for i, layer in enumerate(self.down):
            # What is kept has not been activated: the way up does that otherwise.
            x = layer(F.leaky_relu(x, SLOPE) if i else x)
            kept.append(x)
        kept.pop()
        for i in reversed(range(self.halvings)):
            x = self.up[i](F.relu(x))
            if i:
                if f"dropout/{i}" in noise:
                    x = x * noise[f"dropout/{i}"]
                x = torch.cat([kept.pop(), x], 1)
        return torch.tanh(x)


class PatchGan(nn.Module):
    def __init__(self, channels):
        super().__init__()
        layers = [nn.Conv2d(6, channels, 4, 2, 1), leaky()]
        for i in range(1, 4):
            inputs, outputs = channels << i - 1, channels << i
            layers += [nn.Conv2d(inputs, outputs, 4, 2 if i < 3 else 1, 1, bias=False), nn.BatchNorm2d(outputs), leaky()]
        self.model = nn.Sequential(*layers, nn.Conv2d(channels << 3, 1, 4, 1, 1))

    def forward(self, pair):
        return self.model(channels_last(pair))


class Pix2pix(Training):
    def __init__(self, folder, config):
        if config["least_squares"]:
            raise ValueError("no replica of pix2pix with least squares")
        networks = {"g": Pix2pixUNet(config["resolution"], config["channels"]), "d": PatchGan(config["judge_channels"])}
        rates = dict.fromkeys(networks, config["epochs"]["rate"])
        super().__init__(folder, config, networks, rates, (0.5, 0.999))

    def draw(self):
        """The noise of a step: 0 for what is dropped, 2 for what is kept."""
        n = len(self.batch["images"])
        return {f"dropout/{i}": torch.empty(n, channels, side, side).bernoulli_(0.5).mul_(2)
                for i, (channels, side) in self.networks["g"].drops().items()}

    def decay(self):
        return 0.0

    def score(self, picture):
        return self.networks["d"](torch.cat([self.batch["sources"], picture], 1))

    def step(self, noise):
        self.number += 1
        shown = self.batch["images"]
        made = self.networks["g"](self.batch["sources"], noise)
        self.networks["d"].requires_grad_(True)
        fake, real = F.softplus(self.score(made.detach())).mean(), F.softplus(-self.score(shown)).mean()
        total = (fake + real) / 2
        self.move("d", total)
        losses = {"discriminator/adv_fake": fake, "discriminator/adv_real": real, "discriminator/total": total}
        # The generator's loss does not move the discriminator: no gradients of its weights.
        self.networks["d"].requires_grad_(False)
        adv, l1 = F.softplus(-self.score(made)).mean(), F.l1_loss(made, shown)
        total = adv + self.config["l1"] * l1
        self.move("g", total)
        self.average()
        losses |= {"generator/adv": adv, "generator/l1": l1, "generator/total": total}
        return {name: value.detach() for name, value in losses.items()}


TRAININGS = {"anime2clothing": Clothing, "pix2pix": Pix2pix}
