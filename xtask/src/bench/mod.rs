//! `cargo xtask bench`: measures beside PyTorch and rewrites the generated sections of `benches/results.md`.

mod beside;
mod machine;
mod results;
mod tables;

use crate::layout::Layout;
use crate::stage::{Stages, capture, create_folder, run};
use crate::{Result, tools, venv};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const USAGE: &str = "\
cargo xtask bench [PART..] [--threads 1,2] [--rounds N] [--only TEXT] [--large] [--python PYTHON]

  ops      every operation, forward and backward
  steps    a training step of every model of the catalogue
  memory   peak memory of both, and of PSGAN at 1,024 px
  data     pictures a second, from files to batches
  scaling  a step and a convolution over image size, batch, channels and threads
  onednn   convolutions beside oneDNN in three layouts
  features networks of metrics, a picture
  metrics  Fréchet distance, t-SNE, SSIM and others, beside SciPy, openTSNE, scikit-image, torch-fidelity
Without a PART all of them but onednn. Each rewrites its section of benches/results.md; with --only nothing is written there.
A part that fails says so, and the others still run. Models of 128 px and more are in steps with the largest number of
threads; --large adds them to the others and to memory.
--python names an interpreter that has the packages of benches/pytorch/requirements.txt; otherwise they are installed below
target, once (4 GB, about 8 minutes).";

/// What can be measured, and about how many minutes it takes with five rounds on the machine of benches/results.md: for every
/// number of threads where it is measured with several.
const PARTS: [(&str, f64); 8] = [
    ("ops", 5.0),
    ("steps", 4.0),
    ("memory", 6.0),
    ("data", 1.0),
    ("scaling", 6.0),
    ("onednn", 1.5),
    ("features", 1.5),
    ("metrics", 7.0),
];

/// What the person asked for.
#[derive(Debug, PartialEq)]
struct Wish {
    parts: Vec<&'static str>,
    threads: Vec<usize>,
    /// Passed on to the measuring program.
    options: Vec<String>,
    /// Whether only some rows are measured, so that no section can be written.
    partial: bool,
    large: bool,
    python: Option<PathBuf>,
}

impl Wish {
    fn read(args: &[String]) -> Result<Wish> {
        let mut wish = Wish {
            parts: Vec::new(),
            threads: vec![2, 1],
            options: Vec::new(),
            partial: false,
            large: false,
            python: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value\n\n{USAGE}"));
            match arg.as_str() {
                "--threads" => wish.threads = threads(value()?)?,
                "--rounds" => {
                    let rounds: usize = value()?.parse().map_err(|_| format!("--rounds needs a number\n\n{USAGE}"))?;
                    wish.options.extend(["--rounds".to_string(), rounds.max(1).to_string()]);
                }
                "--only" => {
                    wish.options.extend(["--only".to_string(), value()?.clone()]);
                    wish.partial = true;
                }
                "--large" => wish.large = true,
                "--python" => wish.python = Some(PathBuf::from(value()?)),
                part => match PARTS.iter().find(|(known, _)| *known == part) {
                    Some((known, _)) => wish.parts.push(known),
                    None => return Err(format!("nothing to measure is called `{part}`\n\n{USAGE}")),
                },
            }
        }
        if wish.parts.is_empty() {
            wish.parts = PARTS.map(|(part, _)| part).into_iter().filter(|part| *part != "onednn").collect();
        }
        Ok(wish)
    }

    /// How long it will take, in words; with other options than rounds nobody has counted.
    fn minutes(&self) -> String {
        let rounds = self.options.iter().position(|option| option == "--rounds").and_then(|i| self.options.get(i + 1));
        let rounds: f64 = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(5.0);
        let minutes = |part: &&'static str| {
            let counted = PARTS.iter().find(|(known, _)| known == part).map_or(0.0, |(_, minutes)| *minutes);
            let minutes = match *part {
                "ops" | "steps" | "onednn" | "features" | "metrics" => {
                    counted * self.threads.len() as f64 * (rounds + 1.0) / 6.0
                }
                "data" => counted * (rounds + 1.0) / 6.0,
                _ => counted,
            };
            (*part, minutes)
        };
        let all: Vec<(&str, f64)> = self.parts.iter().map(minutes).collect();
        let total: f64 = all.iter().map(|(_, minutes)| minutes).sum();
        let each: Vec<String> = all.iter().map(|(part, minutes)| format!("{part} {:.0}", minutes.max(1.0))).collect();
        let but = match (self.partial, self.large) {
            (true, _) => ", less with --only",
            (_, true) => ", several times as long with --large",
            _ => "",
        };
        format!("about {:.0} min on two idle cores{but} ({})", total.max(1.0), each.join(", "))
    }
}

/// `2,1` → [2, 1].
fn threads(text: &str) -> Result<Vec<usize>> {
    let number = |word: &str| word.parse().ok().filter(|n| *n > 0);
    let numbers: Option<Vec<usize>> = text.split(',').map(number).collect();
    numbers.ok_or_else(|| format!("--threads: found `{text}`, expected numbers of threads (2,1)\n\n{USAGE}"))
}

/// Sets PyTorch up, builds with the settings of the notebooks, measures, and writes the sections.
pub fn bench(layout: &Layout, args: &[String]) -> Result<()> {
    if args.iter().any(|arg| matches!(arg.as_str(), "help" | "--help" | "-h")) {
        println!("{USAGE}");
        return Ok(());
    }
    let wish = Wish::read(args)?;
    let mut stages = Stages::new(3 + wish.parts.len());
    stages.run("Looking for Rust, Python and a C compiler", tools::check)?;
    let python = wish.python.clone().unwrap_or_else(|| layout.pytorch().join("bin/python"));
    stages.run("PyTorch", || {
        if wish.python.is_none() {
            println!("      into {}, unless it is there", layout.short(&layout.pytorch()).display());
            let list = layout.root.join("benches/pytorch/requirements.txt");
            venv::environment(layout, &layout.pytorch(), &list, &["--no-deps"])?;
        }
        version(&python, &[])
    })?;
    stages.run("Compiling the benches", || {
        let mut build = layout.shared_cargo();
        build.args(["bench", "--no-run", "--profile", "dev"]);
        for bench in benches(&wish.parts) {
            build.args(["--bench", bench]);
        }
        run(&mut build, "compiling the benches")?;
        Ok("ready".into())
    })?;
    let bench = Bench { layout, wish: &wish, python: &python, out: layout.target().join("bench") };
    create_folder(&bench.out)?;
    println!("measuring takes {}", wish.minutes());
    let mut failed = Vec::new();
    for part in &wish.parts {
        let load = machine::load().unwrap_or_default();
        if load > 0.5 {
            println!("note: the machine is not idle (load {load:.1}); times will be too long and ratios unsteady");
        }
        if let Err(message) = stages.run(&format!("Measuring {part}"), || bench.measure(part)) {
            println!("      failed: {message}");
            failed.push(*part);
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("not measured: {}; the message of each stands above", failed.join(", "))),
    }
}

/// The programs that measure these parts.
fn benches(parts: &[&'static str]) -> BTreeSet<&'static str> {
    let programs = |part: &&'static str| match *part {
        "memory" => vec!["ops", "steps", "paper"],
        part => vec![part],
    };
    parts.iter().flat_map(programs).collect()
}

/// What a part is measured beside, apart from PyTorch and torchvision.
fn packages(part: &str) -> &'static [&'static str] {
    match part {
        "features" => &["pytorch-fid"],
        "metrics" => &["scipy", "scikit-image", "openTSNE", "pytorch-fid", "torch-fidelity", "torchmetrics"],
        _ => &[],
    }
}

/// "PyTorch 2.15.0 with oneDNN 3.13.3, torchvision 0.29.2, Python 3.11.2", and `packages` between them.
fn version(python: &Path, packages: &[&str]) -> Result<String> {
    let question = "\
import importlib.metadata, platform, re, sys, torch
onednn = re.search(r'MKL-DNN v([\\d.]+)', torch.__config__.show())
rest = ''
for package in ['torchvision', *sys.argv[1:]]:
    try:
        rest += f', {package} {importlib.metadata.version(package)}'
    except importlib.metadata.PackageNotFoundError:
        pass
onednn = ' with oneDNN ' + onednn[1] if onednn else ''
print(f'PyTorch {torch.__version__}{onednn}{rest}, Python {platform.python_version()}')";
    let mut ask = Command::new(python);
    capture(ask.args(["-c", question]).args(packages), &format!("asking {} for PyTorch", python.display()))
}

struct Bench<'a> {
    layout: &'a Layout,
    wish: &'a Wish,
    python: &'a Path,
    out: PathBuf,
}

impl Bench<'_> {
    /// Measures one part, and writes its section.
    fn measure(&self, part: &str) -> Result<String> {
        let section = match part {
            "ops" => tables::operations(&self.per_threads("ops")?),
            "steps" => tables::steps(&self.per_threads("steps")?),
            "memory" => {
                let ops = self.rows("ops", 2, &["--memory"])?;
                let steps = self.rows("steps", 2, &[&["--memory"], self.large(false)].concat())?;
                tables::memory(&steps, &ops, &self.rows("paper", 2, &[])?)
            }
            "data" => tables::data(&self.rows("data", 2, &[])?),
            "onednn" => tables::onednn(&self.per_threads("onednn")?),
            "features" => beside::features(&self.per_threads("features")?),
            "metrics" => beside::metrics(&self.per_threads("metrics")?),
            _ => tables::scaling(&self.rows("scaling", 2, &[])?, &self.layout.short(&self.out).display().to_string()),
        }?;
        if self.wish.partial {
            return Ok(format!("rows in {}", self.layout.short(&self.out).display()));
        }
        let path = self.layout.root.join("benches/results.md");
        let head = format!("{} {}.", machine::describe(self.layout)?, version(self.python, packages(part))?);
        let command = self.command(part);
        let section = section.replacen("\n\n", &format!("\n\n{head} `{command}`\n\n"), 1);
        results::put(&path, part, &section)?;
        Ok("section of benches/results.md written".into())
    }

    /// What a person types to get this section again.
    fn command(&self, part: &str) -> String {
        let large = if self.wish.large { " --large" } else { "" };
        let options: String = self.wish.options.iter().map(|option| format!(" {option}")).collect();
        format!("cargo xtask bench {part}{options}{large}")
    }

    fn large(&self, anyway: bool) -> &'static [&'static str] {
        if anyway || self.wish.large { &["--large"] } else { &[] }
    }

    /// The rows of a bench for every number of threads that is asked for.
    fn per_threads(&self, bench: &str) -> Result<Vec<(usize, Value)>> {
        let most = self.wish.threads.iter().max();
        let rows = |threads| {
            let more = if bench == "steps" { self.large(most == Some(threads)) } else { &[] };
            Ok((*threads, self.rows(bench, *threads, more)?))
        };
        self.wish.threads.iter().map(rows).collect()
    }

    /// Runs a bench; returns what it writes as JSON.
    fn rows(&self, bench: &str, threads: usize, more: &[&str]) -> Result<Value> {
        let memory = if more.contains(&"--memory") { "-memory" } else { "" };
        let path = self.out.join(format!("{bench}{memory}-{threads}.json"));
        let mut cargo = self.layout.shared_cargo();
        cargo.args(["bench", "--quiet", "--profile", "dev", "--bench", bench, "--", "--python"]).arg(self.python);
        cargo.arg("--json").arg(&path).args(["--threads", &threads.to_string()]).args(more).args(&self.wish.options);
        if bench == "scaling" {
            cargo.arg("--out").arg(&self.out);
        }
        run(&mut cargo, &format!("the bench {bench}"))?;
        let text =
            std::fs::read_to_string(&path).map_err(|error| format!("{}: cannot read: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(text: &str) -> Result<Wish> {
        Wish::read(&text.split_whitespace().map(str::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn parts_and_options_are_told_apart() {
        let all = wish("").unwrap();
        assert_eq!(all.parts, ["ops", "steps", "memory", "data", "scaling", "features", "metrics"]);
        assert_eq!((all.threads.as_slice(), all.partial, all.large), ([2, 1].as_slice(), false, false));
        let some = wish("steps memory --rounds 3 --threads 4 --only paper --large --python py").unwrap();
        assert_eq!(some.parts, ["steps", "memory"]);
        assert_eq!(some.options, ["--rounds", "3", "--only", "paper"]);
        assert_eq!((some.threads.as_slice(), some.partial, some.large), ([4].as_slice(), true, true));
        assert_eq!(some.python, Some(PathBuf::from("py")));
    }

    #[test]
    fn minutes_follow_rounds_and_threads() {
        assert_eq!(wish("ops").unwrap().minutes(), "about 10 min on two idle cores (ops 10)");
        let some = wish("ops memory --rounds 4 --threads 2").unwrap();
        assert_eq!(some.minutes(), "about 10 min on two idle cores (ops 4, memory 6)");
        assert!(wish("steps --only tiny").unwrap().minutes().contains("less with --only"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for text in ["step", "--threads 0", "--threads two", "--threads", "--rounds many", "--fast"] {
            let error = wish(text).unwrap_err();
            assert!(error.contains("cargo xtask bench [PART..]"), "{text}: {error}");
        }
    }
}
