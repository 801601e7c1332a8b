//! What goes wrong is said in one message, and the last good checkpoint stays.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Fault, ToyConfig, assert_same, every_step, open, rows};
use tachie::Error;
use tachie::candle_core::{Device, Tensor};
use tachie::train::trainer::{Options, Trainer};

fn faulty(fault: Fault) -> ToyConfig {
    ToyConfig { fault, fault_at: 4, ..ToyConfig::default() }
}

/// Trains into the fault and checks the message; then that the run goes on from step 3.
fn diverges(config: &ToyConfig, run: Trainer, folder: &Path, wanted: [&str; 4]) {
    let mut run = run;
    let [player, term, layer, step] = wanted;
    match run.steps(20).unwrap_err() {
        Error::Diverged { step: at, player: who, term: what, layer: at_layer, checkpoint, value } => {
            assert_eq!([who.as_str(), what.as_str(), at.to_string().as_str()], [player, term, step]);
            assert!(at_layer.contains(layer), "{at_layer}");
            assert!(checkpoint.ends_with("ckpt-000000003") && !value.is_finite(), "{checkpoint} {value}");
        }
        other => panic!("{other}"),
    }
    assert!(run.steps(1).unwrap_err().to_string().contains("Open the run folder again"));
    drop(run);
    let mut again = open(folder, config, every_step()).unwrap();
    assert_eq!((again.steps_done(), rows(folder).len()), (3, 3));
    again.steps(0).unwrap();
}

#[test]
fn a_bad_term_names_player_term_and_step() {
    let folder = tempfile::tempdir().unwrap();
    let config = faulty(Fault::Term);
    let run = open(folder.path(), &config, every_step()).unwrap();
    diverges(&config, run, folder.path(), ["discriminator", "extra", "the loss itself", "4"]);
}

#[test]
fn a_bad_gradient_names_the_parameter() {
    let folder = tempfile::tempdir().unwrap();
    let config = faulty(Fault::Gradient);
    let run = open(folder.path(), &config, every_step()).unwrap();
    diverges(&config, run, folder.path(), ["discriminator", "gradient", "d.judge.bias", "4"]);
}

#[test]
fn a_bad_weight_is_traced() {
    let folder = tempfile::tempdir().unwrap();
    let config = ToyConfig::default();
    let mut run = open(folder.path(), &config, every_step()).unwrap();
    run.steps(3).unwrap();
    let (_, weight) = run.networks().params.trainable("g.output.bias").remove(0);
    weight.set(&Tensor::full(f32::NAN, weight.dims(), &Device::Cpu).unwrap()).unwrap();
    diverges(&config, run, folder.path(), ["discriminator", "adv", "g.output.bias", "4"]);
}

#[test]
fn an_absurd_learning_rate_ends_in_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let config = ToyConfig { rate: 1e36, ..ToyConfig::default() };
    let error = open(folder.path(), &config, every_step()).unwrap().steps(50).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("lower the learning rate"), "{error}");
}

#[test]
fn a_constant_generator_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = open(folder.path(), &faulty(Fault::Constant), Options::default()).unwrap();
    // Previews come every five steps; three in a row that look alike are worth a word, once.
    let progress = run.steps(30).unwrap();
    let warnings = progress.warnings();
    assert_eq!(warnings.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [15]);
    assert!(warnings[0].1.contains("mean pairwise distance 0.0000, real pictures 0."), "{warnings:?}");
    assert!(format!("{progress:?}").contains("warning: step 15: collapse"));
}

#[test]
fn a_discriminator_that_always_wins_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let config = ToyConfig { rate: 5e-2, adversity: 0.0, ..ToyConfig::default() };
    let progress = open(folder.path(), &config, Options::default()).unwrap().steps(250).unwrap();
    let warnings: Vec<_> = progress.warnings().into_iter().filter(|(_, text)| text.contains("has won")).collect();
    assert_eq!(warnings.len(), 1, "{:?}", rows(folder.path()).last());
    assert!(warnings[0].0 > 100);
}

#[test]
fn a_panic_in_the_background_comes_out_at_stop() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path(), &faulty(Fault::Panic), every_step()).unwrap().spawn().unwrap();
    handle.watch(20.0).unwrap();
    let message = handle.stop().unwrap_err().to_string();
    assert!(message.contains("the toy panics"), "{message}");
    assert_eq!(open(folder.path(), &faulty(Fault::Panic), every_step()).unwrap().steps_done(), 3);
}

#[test]
fn an_error_in_the_background_comes_out_at_stop() {
    let folder = tempfile::tempdir().unwrap();
    let handle = open(folder.path(), &faulty(Fault::Term), every_step()).unwrap().spawn().unwrap();
    handle.watch(20.0).unwrap();
    assert!(matches!(handle.stop(), Err(Error::Diverged { step: 4, .. })));
}

/// In the environment of a child: the run folder that it trains in with a limit on the size of files.
const CHILD: &str = "TACHIE_TEST_FULL_DISK";

/// Not a test of its own: the next one starts this executable again to run it.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    println!("error: {}", open(folder, &ToyConfig::default(), every_step()).unwrap().steps(5).unwrap_err());
}

/// A disk that is full is a limit on the size of files here: the write fails in the middle of a file.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_the_previous_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let config = ToyConfig::default();
    open(folder.path(), &config, every_step()).unwrap().steps(4).unwrap();
    let limited = "trap '' XFSZ; ulimit -f 40; exec \"$0\" --exact child --nocapture";
    let executable = std::env::current_exe().unwrap();
    let output = Command::new("bash").args(["-c", limited]).arg(executable).env(CHILD, folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("optim.safetensors") && line.contains("cannot write"), "{line}");
    open(folder.path(), &config, every_step()).unwrap().steps(4).unwrap();
    let whole = tempfile::tempdir().unwrap();
    open(whole.path(), &config, Options::default()).unwrap().steps(8).unwrap();
    assert_same(whole.path(), folder.path());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let message = open(file.join("run"), &ToyConfig::default(), Options::default()).unwrap_err().to_string();
    assert!(message.contains("file/run") && message.contains("cannot create the run folder"), "{message}");
    // A folder where a file has to go.
    let run = folder.path().join("立ち絵 run");
    fs::create_dir_all(run.join("preview.png/x")).unwrap();
    let message = open(&run, &ToyConfig::default(), Options::default()).unwrap().steps(1).unwrap_err().to_string();
    assert!(message.contains("立ち絵 run/preview.png"), "{message}");
    fs::remove_dir_all(run.join("preview.png")).unwrap();
    open(&run, &ToyConfig::default(), Options::default()).unwrap().steps(1).unwrap();
}
