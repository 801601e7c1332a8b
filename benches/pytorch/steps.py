"""The other side of benches/steps.rs: full training steps in PyTorch of make.girls.moe, its baseline, PSGAN, StyleGAN,
anime2clothing, pix2pix, ANIMEGAN and StarGAN.

Arguments: threads. Every line of standard input is a request as JSON, the answer a line of JSON:
{"check": FOLDER} does one step on exported weights, batch and noise, penalty included whatever the interval says; the
answer holds parameter counts and losses, and FOLDER/after.safetensors the weights and their running averages.
{"steps": N, "folder": FOLDER} does N steps with noise of its own; the answer holds the milliseconds of one.
With the further arguments FOLDER N it does N steps, prints what memory they took, and ends.
"""

import itertools
import json
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import editing
import growing
import memory
import networks
import translation
from training import Training

PLAYERS = ("generator", "discriminator")


class Faces(Training):
    """make.girls.moe and its baseline."""

    def __init__(self, folder, config, penalise_always):
        objective, schedule = config["objective"], config["schedule"]
        self.interval = 1 if penalise_always else objective["gp_interval"]
        self.objective = objective
        self.sampler = Sampler(config["tags"])
        rates = {"g": schedule["generator_rate"], "d": schedule["discriminator_rate"]}
        super().__init__(folder, config, dict(zip("gd", networks.build(config))), rates, (schedule["beta1"], schedule["beta2"]))

    def draw(self):
        """The noise of a step: latents, attributes to ask for, DRAGAN's noise and its length per picture."""
        images = self.batch["images"]
        n = len(images)
        return {
            "z": torch.randn(n, self.config["latent"]),
            "asked": self.sampler.draw(n),
            "noise": torch.rand_like(images),
            "alpha": torch.rand(n, 1, 1, 1),
        }

    def step(self, noise):
        self.number += 1
        generator, discriminator = self.networks["g"], self.networks["d"]
        asked = noise["asked"]
        made = generator(torch.cat([noise["z"], asked * 2 - 1], 1))
        discriminator.requires_grad_(True)
        losses = self.discriminator_losses(made.detach(), asked, noise)
        # The generator's loss does not move the discriminator: no gradients of its weights.
        discriminator.requires_grad_(False)
        losses |= self.generator_losses(made, asked)
        self.average()
        return losses

    def discriminator_losses(self, made, asked, noise):
        objective, discriminator = self.objective, self.networks["d"]
        shown, labels = self.batch["images"], self.batch["labels"]
        logits, attributes = discriminator(torch.cat([shown, made]))
        (of_shown, of_made), (said, said_of_made) = logits.chunk(2), attributes.chunk(2)
        losses = {
            "adv_real": F.softplus(-of_shown).mean(),
            "adv_fake": F.softplus(of_made).mean(),
            "cls_real": self.attributes(said, labels),
            "cls_fake": self.attributes(said_of_made, asked),
        }
        total = objective["lambda_adv"] * (losses["adv_real"] + losses["adv_fake"]) + losses["cls_real"]
        if objective["classify_fakes"]:
            total = total + losses["cls_fake"]
        if self.number % self.interval == 0:
            losses["gp"] = self.penalty(shown, noise)
            total = total + objective["lambda_gp"] * self.interval * losses["gp"]
        self.move("d", total)
        return {f"discriminator/{name}": value.detach() for name, value in (losses | {"total": total}).items()}

    def penalty(self, shown, noise):
        """DRAGAN, differentiated twice."""
        deviation = shown.std(correction=0)
        at = (shown + noise["alpha"] * (0.5 * deviation) * noise["noise"]).requires_grad_(True)
        gradient, = torch.autograd.grad(self.networks["d"].logit(at).sum(), at, create_graph=True)
        norm = gradient.flatten(1).square().sum(1).add(1e-24).sqrt()
        return (norm - 1).square().mean()

    def generator_losses(self, made, asked):
        logits, attributes = self.networks["d"](made)
        losses = {"adv": F.softplus(-logits).mean(), "cls": self.attributes(attributes, asked)}
        total = self.objective["lambda_adv"] * losses["adv"] + losses["cls"]
        self.move("g", total)
        return {f"generator/{name}": value.detach() for name, value in (losses | {"total": total}).items()}

    def attributes(self, logits, labels):
        if self.objective["labels"] == "mean":
            return F.binary_cross_entropy_with_logits(logits, labels)
        return F.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / len(labels)

    def decay(self):
        return min(self.config["schedule"]["ema"], (1 + self.number) / (10 + self.number))


class Growing(Training):
    """PSGAN or StyleGAN at their finished size."""

    def __init__(self, folder, model, config):
        phase, = config["growth"]["phases"]
        self.model = model
        rates = {"g": phase["rate"], "d": phase["rate"]}
        super().__init__(folder, config, dict(zip("gd", growing.build(model, config))), rates, (0.0, 0.99))
        self.poses = None
        if model == "psgan":
            self.poses = growing.Poses(self.batch["points"], config["network"]["resolution"])
        self.shown = self.batch["images"]

    def draw(self):
        """The noise of a step: of either player its latents and what else its pictures take; where the penalty looks."""
        n, latent = len(self.shown), self.config["network"]["latent"]
        if self.model == "psgan":
            noise = {f"z/{player}": torch.randn(n, latent) for player in PLAYERS}
            return noise | {"epsilon": torch.rand(n, 1, 1, 1)}
        generator, noise = self.networks["g"], {}
        layers = len(generator.synthesis.layers)
        for player in PLAYERS:
            noise[f"z/{player}"] = torch.randn(2 * n, latent)
            noise[f"noise/{player}"] = torch.randn(n, generator.noise_length())
            mixed = torch.rand(()) < self.config["mixing"]
            noise[f"crossover/{player}"] = torch.randint(1, layers, ()) if mixed else torch.tensor(layers)
        return noise

    def make(self, player, noise):
        if self.model == "psgan":
            return self.networks["g"](noise[f"z/{player}"], self.poses)
        return self.networks["g"](*(noise[f"{what}/{player}"] for what in ("z", "noise", "crossover")))

    def judge(self, pictures):
        return self.networks["d"](pictures, self.poses)

    def step(self, noise):
        self.number += 1
        with torch.no_grad():
            made = self.make("discriminator", noise)
        self.networks["d"].requires_grad_(True)
        losses = self.wasserstein(made, noise) if self.model == "psgan" else self.logistic(made)
        losses = {f"discriminator/{name}": value.detach() for name, value in losses.items()}
        # The generator's loss does not move the discriminator: no gradients of its weights.
        self.networks["d"].requires_grad_(False)
        scores = self.judge(self.make("generator", noise))
        adv = -scores.mean() if self.model == "psgan" else F.softplus(-scores).mean()
        self.move("g", adv)
        self.average()
        return losses | {"generator/adv": adv.detach(), "generator/total": adv.detach()}

    def wasserstein(self, made, noise):
        of_shown = self.judge(self.shown)
        losses = {"adv": self.judge(made).mean() - of_shown.mean()}
        at = torch.lerp(made, self.shown, noise["epsilon"]).requires_grad_(True)
        gradient, = torch.autograd.grad(self.judge(at).sum(), at, create_graph=True)
        norm = gradient.flatten(1).square().sum(1).add(1e-24).sqrt()
        losses |= {"gp": (norm - 1).square().mean(), "drift": of_shown.square().mean()}
        weights = self.config["objective"]
        losses["total"] = losses["adv"] + weights["penalty"] * losses["gp"] + weights["drift"] * losses["drift"]
        self.move("d", losses["total"])
        return losses

    def logistic(self, made):
        at = self.shown.detach().requires_grad_(True)
        of_shown = self.judge(at)
        losses = {"adv_real": F.softplus(-of_shown).mean(), "adv_fake": F.softplus(self.judge(made)).mean()}
        gradient, = torch.autograd.grad(of_shown.sum(), at, create_graph=True)
        losses["r1"] = gradient.square().sum((1, 2, 3)).mean()
        gamma = self.config["objective"]["logistic"]["gamma"]
        losses["total"] = losses["adv_real"] + losses["adv_fake"] + gamma / 2 * losses["r1"]
        self.move("d", losses["total"])
        return losses

    def decay(self):
        return self.config["growth"]["average"]["constant"]


def training(folder, penalise_always=False):
    """The training that was exported to a folder."""
    about = json.loads((Path(folder) / "model.json").read_text())
    if about["model"] == "make-girls":
        return Faces(folder, about["config"], penalise_always)
    for trainings in (translation.TRAININGS, editing.TRAININGS):
        if about["model"] in trainings:
            return trainings[about["model"]](folder, about["config"])
    return Growing(folder, about["model"], about["config"])


class Sampler:
    """One tag of every exclusive group, and each of the others with probability 0.25."""

    def __init__(self, tags):
        self.groups = [torch.tensor(group["members"]) for group in tags["groups"] if group["members"]]
        self.count = len(tags["tags"])
        grouped = set(itertools.chain.from_iterable(group["members"] for group in tags["groups"]))
        self.free = torch.tensor([0.0 if i in grouped else 0.25 for i in range(self.count)])

    def draw(self, n):
        labels = (torch.rand(n, self.count) < self.free).float()
        for members in self.groups:
            labels.scatter_(1, members[torch.randint(len(members), (n, 1))], 1.0)
        return labels


def check(folder):
    checked = training(folder, penalise_always=True)
    losses = checked.step(checked.batch)
    save_file(checked.tensors(), Path(folder) / "after.safetensors")
    return {"parameters": checked.counts(), "losses": {name: value.item() for name, value in losses.items()}}


def serve():
    folder, current = None, None
    for line in sys.stdin:
        request = json.loads(line)
        if "check" in request:
            folder, current = None, None
            answer = check(request["check"])
        else:
            if request["folder"] != folder:
                current = None
                folder, current = request["folder"], training(request["folder"])
            start = time.perf_counter()
            for _ in range(request["steps"]):
                current.step(current.draw())
            answer = {"milliseconds": (time.perf_counter() - start) * 1e3 / request["steps"]}
        print(json.dumps(answer), flush=True)


def measure_memory(folder, steps):
    start = memory.begin()
    current = training(folder)
    for _ in range(steps):
        current.step(current.draw())
    print(json.dumps(memory.end(start)))


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    if len(sys.argv) > 2:
        return measure_memory(sys.argv[2], int(sys.argv[3]))
    print(f"PyTorch {torch.__version__}", flush=True)
    serve()


if __name__ == "__main__":
    main()
