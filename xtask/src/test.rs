//! `cargo xtask test`: everything that has to pass, summed up in one last line.

use crate::Result;
use crate::cuda;
use crate::layout::Layout;
use crate::notebooks;
use crate::stage::{Stages, create_folder};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What came of one or more checks.
#[derive(Default, Debug, PartialEq, Clone, Copy)]
struct Count {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Count {
    fn one(passed: bool) -> Count {
        Count { passed: usize::from(passed), failed: usize::from(!passed), skipped: 0 }
    }

    fn add(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Runs every stage, also after a failed one, so that one run shows everything that is wrong.
pub fn test(layout: &Layout) -> Result<()> {
    let mut total = Count::default();
    let mut stage = |title: &str, work: &dyn Fn() -> Result<Count>| {
        println!("== {title}");
        let started = Instant::now();
        let count = work().unwrap_or_else(|message| {
            eprintln!("error: {message}");
            Count::one(false)
        });
        println!("== {title}: {count} ({:.0} s)", started.elapsed().as_secs_f64());
        total.add(count);
    };
    stage("format", &|| check(layout.shared_cargo().args(["fmt", "--all", "--check"])));
    stage("clippy", &|| {
        let mut cargo = layout.shared_cargo();
        check(cargo.args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    stage("unit and integration tests", &|| {
        tests(layout.shared_cargo().args(["test", "--workspace", "--lib", "--bins", "--tests"]))
    });
    stage("doc tests", &|| tests(layout.shared_cargo().args(["test", "--workspace", "--doc"])));
    stage("documentation", &|| {
        let mut cargo = layout.shared_cargo();
        check(cargo.args(["doc", "--quiet", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    });
    stage("CUDA without a GPU", &|| check_cuda(layout));
    stage("notebooks", &|| run_notebooks(layout));
    println!("{total}");
    std::process::exit(i32::from(total.failed > 0))
}

/// A program that passes or fails as a whole.
fn check(command: &mut Command) -> Result<Count> {
    let status = command.stdin(Stdio::null()).status().map_err(|error| format!("cannot run cargo: {error}"))?;
    Ok(Count::one(status.success()))
}

/// `cargo test`: shows which target runs, its result, and what failed; counts the tests.
fn tests(command: &mut Command) -> Result<Count> {
    command.args(["--no-fail-fast", "--", "--show-output"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot run cargo: {error}"))?;
    let mut report = Report::default();
    for line in BufReader::new(child.stdout.take().ok_or("cargo test has no output")?).lines() {
        let line = line.map_err(|error| format!("cargo test: {error}"))?;
        if report.read(&line) {
            println!("{line}");
        }
    }
    let status = child.wait().map_err(|error| format!("cargo test: {error}"))?;
    // A target that does not compile, or a test process that dies, reports no failed test.
    if !status.success() && report.count.failed == 0 {
        report.count.failed = 1;
    }
    Ok(report.count)
}

/// Reads the lines of libtest.
#[derive(Default)]
struct Report {
    count: Count,
    skipped_here: usize,
    in_successes: bool,
}

impl Report {
    /// Takes one line in; true when a person should see it.
    fn read(&mut self, line: &str) -> bool {
        if line == "successes:" {
            self.in_successes = true;
        } else if line == "failures:" {
            self.in_successes = false;
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.in_successes = false;
            let number = |what: &str| {
                let words: Vec<&str> = result.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
                words.windows(2).find(|pair| pair[1] == what).and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
            };
            // A test that found what it needs missing says `skipped: ...` and returns: libtest counts it as passed.
            let skipped = std::mem::take(&mut self.skipped_here).min(number("passed"));
            self.count.add(Count {
                passed: number("passed") - skipped,
                failed: number("failed"),
                skipped: skipped + number("ignored"),
            });
        } else if self.in_successes {
            let skipped = line.starts_with("skipped: ");
            self.skipped_here += usize::from(skipped);
            return skipped;
        } else {
            let ordinary = line.is_empty() || line.starts_with("running ") || line.ends_with(" ... ok");
            return !ordinary;
        }
        line.starts_with("test result: ") || line == "failures:"
    }
}

/// `cargo xtask check-cuda`, which counts as one check, and as a skipped one where it cannot work.
fn check_cuda(layout: &Layout) -> Result<Count> {
    if !cuda::WORKS_HERE {
        println!("skipped: CUDA is built on x86-64 Linux only");
        return Ok(Count { skipped: 1, ..Count::default() });
    }
    cuda::check(layout, &[]).map(|()| Count::one(true))
}

/// Every notebook with the short budget.
fn run_notebooks(layout: &Layout) -> Result<Count> {
    let mut stages = Stages::new(notebooks::SETUP_STAGES);
    notebooks::prepare(layout, &mut stages)?;
    let folder = layout.target().join("notebooks");
    create_folder(&folder)?;
    let mut count = Count::default();
    for notebook in notebooks::committed(layout, &[])? {
        let outcome = notebooks::execute_briefly(layout, &notebook, &folder);
        if let Err(message) = &outcome {
            eprintln!("error: {message}");
        }
        count.add(Count::one(outcome.is_ok()));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Count, Vec<&str>) {
        let mut report = Report::default();
        let shown = text.lines().filter(|line| report.read(line)).collect();
        (report.count, shown)
    }

    #[test]
    fn passed_ignored_and_skipped_tests_are_told_apart() {
        let (count, shown) = read(
            "\nrunning 3 tests\ntest a ... ok\ntest b ... ok\ntest c ... ignored\n\nsuccesses:\n\n---- b stdout ----\n\
             skipped: ../shared is not here\nnoise\n\nsuccesses:\n    a\n    b\n\n\
             test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        );
        assert_eq!(count, Count { passed: 1, failed: 0, skipped: 2 });
        assert_eq!(shown.len(), 3, "{shown:?}");
    }

    #[test]
    fn a_failure_is_counted_and_shown() {
        let (count, shown) = read(
            "running 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\nthread 'a' panicked at src/a.rs:1\n\n\
             failures:\n    a\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
        );
        assert_eq!(count, Count { passed: 0, failed: 1, skipped: 0 });
        assert!(shown.iter().any(|line| line.contains("panicked")));
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(Count { passed: 3, failed: 0, skipped: 0 }.to_string(), "3 passed, 0 failed");
        assert_eq!(Count { passed: 3, failed: 1, skipped: 2 }.to_string(), "3 passed, 1 failed, 2 skipped");
    }
}
