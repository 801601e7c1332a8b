//! kill -9 at random moments: the run folder always loads, and in the end the run is the run that was never killed.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{ToyConfig, assert_same, every_step, open};
use tachie::Error;
use tachie::rng::Seed;
use tachie::train::plan::Mark;

/// In the environment of a child: the run folder that it trains in.
const CHILD: &str = "TACHIE_TEST_TRAINS_IN";
const KILLS: usize = 50;
/// More than the children reach before they are killed.
const STEPS: u64 = 2_000;

/// Not a test of its own: the other tests start this executable again to run it.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let mut run = open(folder, &ToyConfig::default(), every_step().threads(0)).unwrap();
    println!("training");
    run.until(Mark::Steps(STEPS)).unwrap();
}

/// A child that has begun to train.
fn train_in(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(CHILD, folder).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The rest of its output goes on into a pipe that nobody reads any more, which must not end it.
    let found = lines.map_while(Result::ok).any(|line| line.ends_with("training"));
    assert!(found, "the child ended before it trained: {:?}", child.wait());
    child
}

#[test]
fn fifty_kills_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let seed = Seed(std::process::id().into());
    println!("{seed:?}");
    let mut stream = seed.stream("kill");
    let checkpoints = folder.path().join("checkpoints");
    let (mut while_saving, mut last) = (0, 0);
    for kill in 0..KILLS {
        let mut child = train_in(folder.path());
        std::thread::sleep(Duration::from_micros(stream.below(60_000) as u64));
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "the child ended by itself");
        let names = |folder: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        while_saving += usize::from(names(&checkpoints).iter().any(|name| name.contains(".tmp-")));
        let run = open(folder.path(), &ToyConfig::default(), every_step()).unwrap();
        assert!(run.steps_done() >= last, "kill {kill}: step {} after step {last}", run.steps_done());
        last = run.steps_done();
        let left: Vec<String> = names(&checkpoints).into_iter().chain(names(folder.path())).collect();
        assert!(!left.iter().any(|name| name.contains(".tmp-")), "{left:?}");
    }
    println!("{last} steps in {KILLS} lives, {while_saving} of them ended while a checkpoint was being written");
    assert!(last > 0 && last < STEPS);
    assert!(while_saving >= 5, "only {while_saving} kills hit a checkpoint");
    open(folder.path(), &ToyConfig::default(), every_step()).unwrap().steps(2).unwrap();
    let whole = tempfile::tempdir().unwrap();
    open(whole.path(), &ToyConfig::default(), Default::default()).unwrap().steps(last + 2).unwrap();
    assert_same(whole.path(), folder.path());
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = train_in(folder.path());
    match open(folder.path(), &ToyConfig::default(), every_step()) {
        Err(Error::Locked { pid, .. }) => assert_eq!(pid, child.id()),
        other => panic!("{other:?}"),
    }
    child.kill().unwrap();
    child.wait().unwrap();
    open(folder.path(), &ToyConfig::default(), every_step()).unwrap().steps(1).unwrap();
}
