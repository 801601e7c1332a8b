//! Launches, allocations and copies of operations and training steps, against the committed table.

use super::on_stand_in;
use crate::Result;
use crate::layout::Layout;
use crate::stage::{capture, write};
use std::path::Path;

/// The committed table.
const TABLE: &str = "tests/fixtures/cuda/counts.toml";

/// Counts on the stand-in and compares; with `bless` the table is written anew.
pub fn check(layout: &Layout, program: &Path, stand_in: &Path, bless: bool) -> Result<String> {
    let found = capture(on_stand_in(program, stand_in).arg("counts"), "counting on the stand-in")? + "\n";
    let path = layout.root.join(TABLE);
    if bless {
        write(&path, &found)?;
        return Ok(format!("{TABLE} was written"));
    }
    let wanted = std::fs::read_to_string(&path).map_err(|error| format!("{TABLE}: cannot read: {error}"))?;
    let differences = differences(&wanted, &found);
    if differences.is_empty() {
        return Ok(format!("{} rows as in {TABLE}", rows(&found).count()));
    }
    Err(format!(
        "{TABLE}: {} rows differ (- committed, + now):\n{}If that is wanted: cargo xtask check-cuda --bless",
        differences.len(),
        differences.concat()
    ))
}

fn rows(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "))
}

/// Rows that are missing on one side or have other numbers.
fn differences(wanted: &str, found: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (name, numbers) in rows(wanted) {
        let now = rows(found).find(|(other, _)| *other == name).map(|(_, numbers)| numbers);
        if now != Some(numbers) {
            let now = now.map_or_else(String::new, |now| format!("+ {name} = {now}\n"));
            all.push(format!("- {name} = {numbers}\n{now}"));
        }
    }
    for (name, numbers) in rows(found) {
        if !rows(wanted).any(|(other, _)| other == name) {
            all.push(format!("+ {name} = {numbers}\n"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_changed_came_or_went_are_shown() {
        let wanted = "# head\n[ops]\n\"a\" = { launches = 1 }\n\"b\" = { launches = 2 }\n\"c\" = { launches = 3 }\n";
        let found = "[ops]\n\"a\" = { launches = 1 }\n\"b\" = { launches = 4 }\n\"d\" = { launches = 5 }\n";
        let differences = differences(wanted, found);
        assert_eq!(differences.len(), 3, "{differences:?}");
        assert_eq!(differences[0], "- \"b\" = { launches = 2 }\n+ \"b\" = { launches = 4 }\n");
        assert_eq!(differences[2], "+ \"d\" = { launches = 5 }\n");
        assert!(super::differences(wanted, wanted).is_empty());
    }
}
