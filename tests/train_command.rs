//! `tachie train` and `tachie doctor`, as somebody types them.

use std::path::Path;
use std::process::{Command, Output};

fn tachie(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tachie")).args(arguments).current_dir(folder).output().unwrap()
}

/// Standard output of a command that has to succeed.
fn out(folder: &Path, arguments: &[&str]) -> String {
    let output = tachie(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The one line that a command that has to fail writes to standard error.
fn error(folder: &Path, arguments: &[&str]) -> String {
    let output = tachie(folder, arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
    text
}

#[test]
fn a_run_from_the_command_line_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    out(here, &["data", "avatar-faces", "--count", "24", "--size", "64", "--seed", "1", "--out", "faces"]);
    let mut files = std::fs::read_dir(here.join("faces")).unwrap().map(|entry| entry.unwrap().path());
    let manifest = files.find(|path| path.extension().is_some_and(|end| end == "toml")).unwrap();
    let manifest = manifest.to_str().unwrap();
    let train = |more: &[&'static str]| -> Vec<String> {
        let base = ["train", "make-girls", "--data", manifest, "--preset", "tiny", "--out", "run", "--batch", "4"];
        base.iter().chain(more).map(|text| text.to_string()).collect()
    };
    let run = |more: &[&'static str]| -> String {
        let arguments = train(more);
        out(here, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let text = run(&["--steps", "2"]);
    assert!(text.lines().any(|line| line.starts_with("done after step 2")), "{text}");
    for name in ["config.toml", "history.jsonl", "preview.png", "checkpoints/latest"] {
        assert!(here.join("run").join(name).exists(), "{name}");
    }
    let text = run(&["--kimg", "0.012"]);
    assert!(text.starts_with("run: going on after step 2"), "{text}");
    assert!(text.trim_end().ends_with("(done)") && text.contains("3 steps, 0.01 kimg"), "{text}");
    assert!(run(&["--steps", "3"]).contains("done after step 3"));

    let arguments = train(&["--steps", "4", "--seed", "9"]);
    let text = error(here, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.contains("seed: 0 there, 9 here"), "{text}");
}

/// An augmented StyleGAN is trained, its best is kept, a picture is projected into it and drawn again.
#[test]
fn the_best_of_a_run_finds_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    out(here, &["data", "avatar-faces", "--count", "24", "--size", "64", "--seed", "1", "--out", "faces"]);
    let mut files = std::fs::read_dir(here.join("faces")).unwrap().map(|entry| entry.unwrap().path());
    let manifest = files.find(|path| path.extension().is_some_and(|end| end == "toml")).unwrap();
    let train = ["train", "stylegan", "--data", manifest.to_str().unwrap(), "--all", "--preset", "tiny-few-bodies"];
    let more = ["--out", "run", "--batch", "4", "--steps", "5", "--keep-best-by-kid", "0.008", "--best-samples", "10"];
    let text = out(here, &[&train[..], &more[..]].concat());
    assert!(text.contains("step 2: KID (tagger)") && text.contains("step 5: KID (tagger)"), "{text}");
    assert!(text.contains("run: 3 measurements, the best KID (tagger)"), "{text}");
    let both = [&train[..], &["--out", "run", "--minutes", "1", "--keep-best-by-kid", "1"]].concat();
    assert_eq!(tachie(here, &both).status.code(), Some(2));
    assert!(
        error(here, &[&train[..], &["--out", "run", "--keep-best-by-kid", "0"]].concat()).contains("0.001 or more")
    );

    let picture = std::fs::read_dir(here.join("faces")).unwrap().map(|entry| entry.unwrap().path());
    let mut pictures: Vec<_> = picture.collect();
    pictures.extend(
        pictures
            .clone()
            .iter()
            .filter(|path| path.is_dir())
            .flat_map(|path| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()),
    );
    let picture = pictures.iter().find(|path| path.extension().is_some_and(|end| end == "png")).unwrap();
    let project = ["project", "--weights", "run/best.safetensors", "--steps", "3", "--video"];
    let text = out(here, &[&project[..], &["--in", picture.to_str().unwrap(), "--out", "found"]].concat());
    assert!(text.contains("Projection(1 pictures, 3 steps"), "{text}");
    for name in ["projected.safetensors", "target.png", "projected.png", "distance.svg", "search.gif"] {
        assert!(here.join("found").join(name).is_file(), "{name}");
    }
    let generate = ["generate", "--weights", "run/best.safetensors", "--projected", "found/projected.safetensors"];
    out(here, &[&generate[..], &["--out", "again"]].concat());
    let bytes = |path: &str| tachie::image::open(here.join(path)).unwrap().to_rgb8();
    assert_eq!(bytes("again/projected0000.png"), bytes("found/projected.png"));
    let text = error(here, &[&project[..], &["--in", "no.png", "--out", "found"]].concat());
    assert!(text.contains("no.png"), "{text}");
}

#[test]
fn bodies_are_compared_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let manifest = "version = 1\nname = \"few\"\ntitle = \"Few bodies\"\nlicence = \"MIT\"\nsource = \"drawn\"\n\
                    [bodies]\nsize = 32\nseed = 0\ncostumes = 3\nposes = 30\n";
    std::fs::write(here.join("few.toml"), manifest).unwrap();
    for model in ["psgan", "progan"] {
        let base = ["train", model, "--data", "few.toml", "--preset", "tiny", "--batch", "4", "--steps", "1"];
        out(here, &[&base[..], &["--out", model]].concat());
    }
    let compare = ["compare", "--data", "few.toml", "--count", "6", "--reader-steps", "1", "--psgan"];
    let text = out(here, &[&compare[..], &["psgan", "--progan", "progan", "--out", "tables"]].concat());
    assert!(text.contains("PCK@0.1") && text.contains("Progressive GAN: no keypoints"), "{text}");
    let table = std::fs::read_to_string(here.join("tables/structure.md")).unwrap();
    let row = |model: &str| table.lines().find(|line| line.starts_with(&format!("| {model} |"))).unwrap().to_string();
    assert!(row("Progressive GAN").contains("| – | – |") && !row("PSGAN").contains('–'), "{table}");
    assert!(error(here, &[&compare[..], &["progan"]].concat()).contains("psgan"));
}

#[test]
fn mistakes_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = error(here, &["train", "makegirls", "--data", "x.toml", "--out", "run"]);
    assert!(text.contains("make-girls"), "{text}");
    let text = error(here, &["train", "make-girls", "--preset", "huge", "--data", "x.toml", "--out", "run"]);
    assert!(text.contains("tiny"), "{text}");
    let text = error(here, &["train", "make-girls", "--data", "x.toml", "--out", "run"]);
    assert!(text.contains("x.toml"), "{text}");
    let both = ["train", "make-girls", "--data", "x.toml", "--out", "run", "--steps", "1", "--kimg", "1"];
    assert_eq!(tachie(here, &both).status.code(), Some(2));
    let half = tachie(here, &["train", "make-girls", "--data", "x.toml", "--out", "run", "--precision", "half"]);
    let text = String::from_utf8(half.stderr).unwrap();
    assert!(half.status.code() == Some(2) && text.contains("f32 or bf16"), "{text}");
}

#[test]
fn the_doctor_looks_at_everything() {
    let folder = tempfile::tempdir().unwrap();
    let text = out(folder.path(), &["doctor"]);
    for part in
        ["tachie     0.", "device", "threads", "memory", "GiB", "disk", "candle     loaded once", "not in a clone"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    std::fs::create_dir_all(folder.path().join("notebooks/kernel")).unwrap();
    std::fs::write(folder.path().join("notebooks/kernel/Cargo.toml"), "").unwrap();
    let text = out(folder.path(), &["doctor"]);
    assert!(text.contains("✗ evcxr") && text.contains("cargo xtask lab"), "{text}");
}
