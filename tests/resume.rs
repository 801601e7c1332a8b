//! A run that was interrupted is the run that was not: k + m steps equal k steps, a new trainer, m steps.

mod common;

use std::fs;

use common::{ToyConfig, assert_same, contents, open, rows, squares};
use tachie::Error;
use tachie::candle_core::Device;
use tachie::rng::Seed;
use tachie::train::plan::{Average, Intervals, Mark, Precision};
use tachie::train::progress::Ended;
use tachie::train::trainer::{Options, Trainer};

/// Steps of the uninterrupted run: past the toy's first stage (6), its fade (16) and three epochs.
const STEPS: u64 = 24;

#[test]
fn interrupted_equals_uninterrupted() {
    let config = ToyConfig::default();
    let whole = tempfile::tempdir().unwrap();
    open(whole.path(), &config, Options::default()).unwrap().steps(STEPS).unwrap();
    let first = rows(whole.path());
    assert_eq!(first.len() as u64, STEPS);
    assert!(first[8].alpha > 0.0 && first[8].alpha < 1.0, "step 9 is within the fade");
    assert!(contents(whole.path())["optim.safetensors"].len() > 4 * 2 * 6000);
    // Within the first stage, at its end, within the fade, after it; without and with prefetching.
    for (cut, threads) in [(1, 0), (5, 4), (6, 0), (9, 4), (20, 1)] {
        let parts = tempfile::tempdir().unwrap();
        let options = || Options::default().threads(threads);
        open(parts.path(), &config, options()).unwrap().steps(cut).unwrap();
        let mut resumed = open(parts.path(), &config, options()).unwrap();
        assert_eq!(resumed.steps_done(), cut);
        resumed.steps(STEPS - cut).unwrap();
        assert_same(whole.path(), parts.path());
    }
}

#[test]
fn threads_change_no_bit() {
    let whole = tempfile::tempdir().unwrap();
    let config = ToyConfig { hidden: 512, ..ToyConfig::default() };
    open(whole.path(), &config, Options::default()).unwrap().steps(8).unwrap();
    for threads in [1, 2, 8] {
        let parts = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            for _ in 0..2 {
                open(parts.path(), &config, Options::default().threads(threads)).unwrap().steps(4).unwrap();
            }
        });
        assert_same(whole.path(), parts.path());
    }
}

#[test]
fn rows_after_the_checkpoint_are_repeated_not_doubled() {
    let config = ToyConfig::default();
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(whole.path(), &config, Options::default()).unwrap().steps(10).unwrap();
    open(parts.path(), &config, common::every_step()).unwrap().steps(7).unwrap();
    // As after a crash: rows of steps 6 and 7 are there, their checkpoints are not, and a row is torn.
    fs::write(parts.path().join("checkpoints/latest"), "ckpt-000000006\n").unwrap();
    let history = parts.path().join("history.jsonl");
    let text = fs::read_to_string(&history).unwrap();
    fs::write(&history, format!("{text}{{\"step\":8,\"im")).unwrap();
    open(parts.path(), &config, Options::default()).unwrap().steps(4).unwrap();
    assert_same(whole.path(), parts.path());
}

#[test]
fn another_run_is_refused_with_every_difference() {
    let folder = tempfile::tempdir().unwrap();
    let config = ToyConfig::default();
    open(folder.path(), &config, Options::default()).unwrap().steps(2).unwrap();
    let other = ToyConfig { rate: 0.5, hidden: 16, ..config.clone() };
    let refused = |result: tachie::Result<Trainer>| match result {
        Err(Error::ConfigMismatch { differences, .. }) => differences,
        other => panic!("{other:?}"),
    };
    let differences = refused(open(folder.path(), &other, Options::default()));
    assert!(differences.contains("config.hidden: 32 there, 16 here"), "{differences}");
    assert!(differences.contains("config.rate: 0.002 there, 0.5 here"), "{differences}");
    assert!(differences.contains("plan.stages.0.rate"), "{differences}");
    let differences = refused(open(folder.path(), &config, Options::default().batch(5)));
    assert!(differences.contains("plan.stages.1.batch: 4 there, 5 here"), "{differences}");
    let open_on =
        |seed, data| Trainer::open::<common::Toy>(&config, &data, folder.path(), Options::default().seed(seed));
    assert!(refused(open_on(Seed(4), squares(1, 50))).starts_with("seed: 3 there, 4 here"));
    assert!(refused(open_on(Seed(3), squares(2, 50))).starts_with("data.fingerprint: "));
    // What changes no result may change.
    let intervals = Intervals { history: 1, preview: 7, checkpoint: 3 };
    let options = Options::default().intervals(intervals).threads(3);
    assert_eq!(open(folder.path(), &config, options).unwrap().steps_done(), 2);
}

#[test]
fn precision_is_part_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let config = ToyConfig::default();
    let here = || Options::default().device(&Device::Cpu);
    let message = open(folder.path(), &config, here().precision(Precision::Bf16)).unwrap_err().to_string();
    assert!(message.contains("bf16 on the CPU") && message.contains("TACHIE_DEVICE=cuda"), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "refused before anything was written");

    open(folder.path(), &config, here()).unwrap().steps(2).unwrap();
    let path = folder.path().join("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("precision = \"f32\"\n"), "{text}");
    // A folder from before there was a choice.
    fs::write(&path, text.replace("precision = \"f32\"\n", "")).unwrap();
    assert_eq!(open(folder.path(), &config, here()).unwrap().steps_done(), 2);
    fs::write(&path, text.replace("precision = \"f32\"", "precision = \"bf16\"")).unwrap();
    let message = open(folder.path(), &config, here()).unwrap_err().to_string();
    assert!(message.contains("plan.precision: \"bf16\" there, \"f32\" here"), "{message}");
}

#[test]
fn a_stop_file_and_marks_end_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = open(folder.path(), &ToyConfig::default(), Options::default()).unwrap();
    assert_eq!(run.until(Mark::Images(32)).unwrap().steps, 2);
    assert_eq!(run.until(Mark::Steps(2)).unwrap().ended, Ended::Reached);
    fs::write(folder.path().join("STOP"), "").unwrap();
    let progress = run.steps(1000).unwrap();
    assert_eq!((progress.ended, progress.steps), (Ended::StopFile, 2));
    assert!(!folder.path().join("STOP").exists());
    assert_eq!(run.kimg(0.016).unwrap().steps, 3);
    assert!(run.kimg(f64::NAN).is_err() && run.seconds(-1.0).is_err());
    let start = std::time::Instant::now();
    run.seconds(0.2).unwrap();
    assert!(start.elapsed().as_secs_f64() >= 0.2 && run.steps_done() > 3);
    assert_eq!(run.finish().unwrap().steps, run.steps_done().max(60));
}

/// In the environment of a child: the run folder that it trains in.
const CHILD: &str = "TACHIE_TEST_SHORT_BUDGET";

/// Not a test of its own: the next one starts this executable again to run it.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let mut run = open(folder, &ToyConfig::default(), Options::default()).unwrap();
    let progress = run.steps(1000).unwrap();
    assert_eq!((progress.ended, progress.steps), (Ended::Budget, 2));
    assert_eq!(run.steps(2).unwrap().ended, Ended::Reached);
    assert_eq!(run.minutes(9.0).unwrap().steps, 6);
    let handle = run.spawn().unwrap();
    handle.watch(60.0).unwrap();
    assert_eq!(handle.stop().unwrap().steps_done(), 8);
}

#[test]
fn the_short_budget_of_notebook_tests_ends_every_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(CHILD, folder.path()).env("TACHIE_BUDGET", "ci");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().any(|line| line.starts_with("cut short by TACHIE_BUDGET=ci after step 2")), "{text}");
    assert!(text.lines().any(|line| line.starts_with("step 1/2  0.02 kimg  ")), "{text}");
}

#[test]
fn a_training_in_the_background_is_the_same_training() {
    let config = ToyConfig::default();
    let (front, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let handle = open(back.path(), &config, Options::default()).unwrap().spawn().unwrap();
    assert!(matches!(open(back.path(), &config, Options::default()), Err(Error::Locked { .. })));
    handle.watch(0.3).unwrap();
    let mut run = handle.stop().unwrap();
    assert!(handle.stop().is_err() && !handle.running());
    let steps = run.steps_done() + 3;
    assert_eq!(run.steps(3).unwrap().steps, steps);
    open(front.path(), &config, Options::default()).unwrap().steps(steps).unwrap();
    assert_same(front.path(), back.path());
    assert!(!handle.plot().unwrap().plot().svg().unwrap().is_empty());

    let handle = run.spawn().unwrap();
    let clone = handle.clone();
    drop(handle);
    drop(clone);
    assert_eq!(open(back.path(), &config, Options::default()).unwrap().steps_done() as usize, rows(back.path()).len());
}

#[test]
fn the_average_is_the_average() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = open(folder.path(), &ToyConfig::default(), Options::default()).unwrap();
    let name = "g.output.weight";
    let numbers = |store: &tachie::nn::params::ParamStore| -> Vec<f32> {
        store.tensors()[name].flatten_all().unwrap().to_vec1().unwrap()
    };
    let mut wanted = numbers(&run.networks().average);
    for step in 1..=12 {
        run.steps(1).unwrap();
        let factor = Average::Decay(0.999).factor(step, 0, 0) as f32;
        let current = numbers(&run.networks().params);
        wanted.iter_mut().zip(current).for_each(|(old, new)| *old = factor * *old + (1.0 - factor) * new);
    }
    let largest = wanted.iter().zip(numbers(&run.networks().average)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 1e-6, "{largest}");
}
