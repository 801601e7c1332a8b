//! The published make.girls.moe generator, through the command line: import, explicit inputs, pictures.
//!
//! Needs `../shared/real` (see its README.md); without it the tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tachie::weights::npz;

fn real() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real/moe");
    if !folder.exists() {
        println!("skipped: no {}", folder.display());
        return None;
    }
    Some(folder)
}

fn tachie(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tachie")).args(args).output().unwrap()
}

fn done(args: &[&str]) -> String {
    let output = tachie(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(args: &[&str]) -> String {
    let output = tachie(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The imported weights in `folder`.
fn import(moe: &Path, folder: &Path) -> PathBuf {
    let file = |name: &str| moe.join(name);
    let (weights, map) = (file("amaryllis_8bit.bin"), file("moe_amaryllis_map.csv"));
    let (table, out) = (file("webdnn_eightbit_table.csv"), folder.join("model.safetensors"));
    let files = ["--weights", text(&weights), "--map", text(&map), "--table", text(&table), "--out", text(&out)];
    let mut args = vec!["import", "webdnn"];
    args.extend(files);
    done(&args);
    out
}

/// parity.npz was computed with numpy by two independent implementations (specs/faces.md, A2).
#[test]
fn the_published_generator_gives_the_published_numbers() {
    let Some(moe) = real() else { return };
    let folder = tempfile::tempdir().unwrap();
    let weights = import(&moe, folder.path());
    let (latents, raw) = (moe.join("parity.npz"), folder.path().join("y.npz"));
    let sample = ["sample", "make-girls", "--weights", text(&weights), "--latents", text(&latents)];
    done(&[&sample[..], &["--raw", text(&raw)]].concat());
    let (wanted, found) = (npz::read(&latents).unwrap(), npz::read(&raw).unwrap());
    assert_eq!(found.keys().collect::<Vec<_>>(), ["y0", "y1", "y2", "y3"]);
    for (name, found) in &found {
        assert_eq!(found.dims(), [3, 128, 128], "{name}");
        let difference = (found.flatten_all().unwrap() - wanted[name].flatten_all().unwrap()).unwrap().abs().unwrap();
        let worst = difference.max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(worst <= 1e-4, "{name}: {worst}");
    }
}

#[test]
fn tags_and_a_seed_give_a_grid() {
    let Some(moe) = real() else { return };
    let folder = tempfile::tempdir().unwrap();
    let weights = import(&moe, folder.path());
    let draw = |name: &str, seed: &str| {
        let out = folder.path().join(name);
        let tags = "blonde hair, long hair, smile, blue eyes";
        let what = ["--tags", tags, "--seed", seed, "--count", "3", "--out", text(&out)];
        done(&[&["sample", "make-girls", "--weights", text(&weights)][..], &what[..]].concat());
        image::open(out).unwrap().to_rgb8()
    };
    let (one, again, other) = (draw("a.png", "1"), draw("b.png", "1"), draw("c.png", "2"));
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert!(one.width() >= 3 * 128, "{} px", one.width());
}

#[test]
fn what_cannot_be_drawn_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (weights, out) = (file("model.safetensors"), file("grid.png"));
    let model = tachie::models::make_girls::MakeGirls::tiny().build(&tachie::device().unwrap()).unwrap();
    model.save(&weights).unwrap();
    let sample = ["sample", "make-girls", "--out", text(&out), "--weights"];
    let message = refused(&[&sample[..], &[text(&weights), "--tags", "blond hare"]].concat());
    assert!(message.contains("blonde hair") && message.lines().count() == 1, "{message}");
    let message = refused(&[&sample[..], &[text(&file("absent.safetensors"))]].concat());
    assert!(message.contains("absent.safetensors"), "{message}");
    let message = refused(&[&sample[..], &[text(&weights), "--count", "0"]].concat());
    assert!(message.contains("at least one"), "{message}");
    std::fs::write(file("bad.npz"), b"no archive").unwrap();
    let message = refused(&[&sample[..], &[text(&weights), "--latents", text(&file("bad.npz"))]].concat());
    assert!(message.contains("bad.npz"), "{message}");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let message = refused(&[&sample[..], &[text(&weights)]].concat());
    assert!(message.contains("model.safetensors"), "{message}");
    assert!(!out.exists());
}
