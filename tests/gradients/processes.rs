//! Tests that run themselves again under other environment variables.

use std::process::Command;

/// Runs the test `name` of this program as a process with `variables`, and returns what it printed, which must hold
/// `proof`: a name that no longer exists would pass without testing anything.
pub fn again(name: &str, variables: &[(&str, &str)], proof: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]).envs(variables.iter().copied());
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} with {variables:?}: see above");
    assert!(text.contains(proof), "{name} with {variables:?} did not print \"{proof}\"");
    text
}
