//! The event files of a run, read back: always by the framing rules, and by TensorBoard itself where
//! `TACHIE_TENSORBOARD` names a Python that has it.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{ToyConfig, every_step, open, rows};

fn event_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().contains("tfevents")).collect();
    files.sort();
    files
}

/// The records of an event file; panics when lengths or checksums are wrong.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let masked = |data: &[u8]| crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8);
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        assert_eq!(number(&rest[8..12]), masked(&rest[..8]));
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let data = &rest[12..12 + length];
        assert_eq!(number(&rest[12 + length..16 + length]), masked(data));
        records.push(data.to_vec());
        rest = &rest[16 + length..];
    }
    records
}

fn contains(record: &[u8], text: &str) -> bool {
    record.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Seven steps, then back to step 5 as after a crash, then on to step 9.
fn a_resumed_run(folder: &Path) {
    open(folder, &ToyConfig::default(), every_step()).unwrap().steps(6).unwrap();
    fs::write(folder.join("checkpoints/latest"), "ckpt-000000005\n").unwrap();
    open(folder, &ToyConfig::default(), every_step()).unwrap().steps(4).unwrap();
}

#[test]
fn a_run_leaves_whole_records() {
    let folder = tempfile::tempdir().unwrap();
    a_resumed_run(folder.path());
    let files = event_files(folder.path());
    assert_eq!(files.len(), 2);
    let first = records(&files[0]);
    assert!(contains(&first[0], "brain.Event:2"));
    assert_eq!(first.iter().filter(|record| contains(record, "generator/adv")).count(), 6);
    // The rehearsal after step 1, the preview of step 5, the end of the call.
    assert_eq!(first.iter().filter(|record| contains(record, "\u{89}PNG") || contains(record, "PNG\r\n")).count(), 3);
    assert_eq!(records(&files[1]).iter().filter(|record| contains(record, "discriminator/adv")).count(), 4);
}

#[test]
fn tensorboard_reads_what_was_written() {
    let Some(python) = std::env::var_os("TACHIE_TENSORBOARD") else {
        println!("skipped: TACHIE_TENSORBOARD names no Python with TensorBoard");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    a_resumed_run(folder.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/read_tensorboard.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    for record in rows(folder.path()) {
        let value = record.losses["discriminator/adv"] as f32;
        assert_eq!(lines.next(), Some(format!("discriminator/adv {} {value:?}", record.step).as_str()));
    }
    let images: Vec<&str> = lines.collect();
    let (width, height) = image::image_dimensions(folder.path().join("preview.png")).unwrap();
    assert_eq!(images, [1, 5, 9].map(|step| format!("preview {step} {width}x{height}")), "{text}");
}
