//! `cargo xtask prove <name>`: the experiments in `benches/proofs`, each an example named `prove_<name>`.

use crate::Result;
use crate::layout::Layout;
use crate::stage::{capture, create_folder, run};
use serde_json::Value;

/// Builds and runs one experiment; its files go to `target/proofs/<name>`.
pub fn prove(layout: &Layout, args: &[String]) -> Result<()> {
    let known = known(layout)?;
    let list = known.join(", ");
    let [name, rest @ ..] = args else {
        return Err(format!("prove what? There are: {list}"));
    };
    if !known.contains(name) {
        return Err(format!("no experiment is called `{name}`; there are: {list}"));
    }
    create_folder(&layout.target().join("proofs").join(name))?;
    let mut cargo = layout.shared_cargo();
    cargo.args(["run", "--quiet", "--example", &format!("prove_{}", name.replace('-', "_")), "--"]).args(rest);
    run(&mut cargo, &format!("prove {name}"))
}

/// The experiments that the manifest lists.
fn known(layout: &Layout) -> Result<Vec<String>> {
    let mut cargo = layout.shared_cargo();
    let text = capture(cargo.args(["metadata", "--no-deps", "--format-version", "1"]), "cargo metadata")?;
    let metadata: Value = serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let mut names: Vec<String> = targets
        .filter_map(|target| target["name"].as_str()?.strip_prefix("prove_").map(|name| name.replace('_', "-")))
        .collect();
    names.sort();
    Ok(names)
}
