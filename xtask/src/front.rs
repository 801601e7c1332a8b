//! The `cargo` and the `rustup` that the notebook kernel finds.
//!
//! evcxr asks rust-analyzer for the types of a cell's variables, and rust-analyzer loads every package that
//! `cargo metadata` lists: about 350 for this library, most of which no cell can name. That is nearly all of the
//! kernel's start. Here `cargo metadata` is answered with the packages whose types a cell can hold; every other
//! command is cargo's own. Besides, cells get the versions of the workspace's `Cargo.lock`.

use crate::Result;
use crate::direct::Request;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set by the launcher: the toolchain's folder, the clone's folder, and the `CARGO_HOME` that was set before (may be empty).
pub const SYSROOT: &str = "TACHIE_KERNEL_SYSROOT";
pub const ROOT: &str = "TACHIE_KERNEL_ROOT";
pub const CARGO_HOME: &str = "TACHIE_KERNEL_CARGO_HOME";

/// The packages below the library whose types can appear in a cell, and what they are made of.
/// A package that is not named here is loaded with all that it depends on.
const LOADED: &[(&str, &[&str])] = &[
    ("tachie", &["tachie", "candle-core", "candle-nn", "evcxr_runtime", "image", "plotters", "polars"]),
    ("candle-core", &["half"]),
    ("candle-nn", &["candle-core"]),
    ("evcxr_runtime", &[]),
    ("half", &[]),
    ("image", &[]),
    ("plotters", &["plotters-backend", "plotters-bitmap", "plotters-svg"]),
    ("plotters-bitmap", &["plotters-backend"]),
    ("plotters-svg", &["plotters-backend"]),
    ("polars", &["polars-core", "polars-error"]),
    ("polars-core", &["polars-error"]),
    ("polars-error", &[]),
];

/// Runs as `cargo`.
pub fn cargo(args: &[String]) -> Result<()> {
    let manifest = manifest(args);
    let args = &building(args, &manifest);
    let mut command = real("cargo")?;
    command.args(args);
    let subcommand = args.iter().find(|arg| !arg.starts_with('-')).map(String::as_str);
    let cell = Request::new(args, &manifest);
    if let Some(code) = cell.as_ref().map(Request::repeat).transpose()?.flatten() {
        std::process::exit(code);
    }
    if matches!(subcommand, Some("build" | "check" | "metadata")) {
        lock_versions(&manifest)?;
    }
    if let Some(cell) = cell {
        cell.record(&mut command)?;
    }
    if subcommand != Some("metadata") || args.iter().any(|arg| arg == "--no-deps") {
        return become_program(command);
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if output.status.success() {
        let mut metadata: Value = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cargo metadata wrote something that is not JSON: {error}"))?;
        prune(&mut metadata);
        println!("{metadata}");
    }
    std::process::exit(output.status.code().unwrap_or(1))
}

/// evcxr checks a cell whose variables it cannot type, to show the compiler's errors. Checking would first check all
/// 350 packages, which takes minutes; building finds the same errors in what is compiled already.
fn building(args: &[String], manifest: &Path) -> Vec<String> {
    let cell = std::fs::read_to_string(manifest).is_ok_and(|text| text.contains("name = \"ctx\""));
    let build = |arg: &String| if cell && arg == "check" { "build".to_string() } else { arg.clone() };
    args.iter().map(build).collect()
}

/// Runs as `rustup`: evcxr asks it where cargo and rustc are.
pub fn rustup(args: &[String]) -> Result<()> {
    match args {
        [which, tool] if which == "which" && tool == "cargo" => {
            let exe = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
            println!("{}", exe.with_file_name("cargo").display());
            Ok(())
        }
        [which, tool] if which == "which" && tool == "rustc" => {
            println!("{}", sysroot()?.join("bin/rustc").display());
            Ok(())
        }
        _ => {
            let mut command = real("rustup")?;
            command.args(args);
            become_program(command)
        }
    }
}

fn sysroot() -> Result<PathBuf> {
    let sysroot =
        std::env::var_os(SYSROOT).ok_or_else(|| format!("{SYSROOT} is not set: start the kernel through Jupyter"))?;
    Ok(PathBuf::from(sysroot))
}

/// The real program, with the environment that the launcher has changed put back.
fn real(tool: &str) -> Result<Command> {
    let here = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let here = here.parent().map(Path::to_path_buf).unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| *folder != here).collect();
    let program = match tool {
        "cargo" => sysroot()?.join("bin/cargo"),
        _ => path
            .iter()
            .map(|folder| folder.join(tool))
            .find(|file| file.is_file())
            .ok_or_else(|| format!("{tool} is not installed"))?,
    };
    let mut command = Command::new(program);
    command.env("PATH", std::env::join_paths(&path).map_err(|error| format!("PATH: {error}"))?);
    match std::env::var_os(CARGO_HOME) {
        Some(home) if !home.is_empty() => command.env("CARGO_HOME", home),
        _ => command.env_remove("CARGO_HOME"),
    };
    Ok(command)
}

fn become_program(mut command: Command) -> Result<()> {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(format!("cannot run {:?}: {error}", command.get_program()))
}

/// The manifest that cargo is asked about.
fn manifest(args: &[String]) -> PathBuf {
    let named = args.iter().position(|arg| arg == "--manifest-path").and_then(|at| args.get(at + 1));
    named.map_or_else(|| PathBuf::from("Cargo.toml"), PathBuf::from)
}

/// Gives a cell crate that depends on the library the workspace's `Cargo.lock`, unless its lock already has the library.
fn lock_versions(manifest: &Path) -> Result<()> {
    let Some(root) = std::env::var_os(ROOT).map(PathBuf::from) else { return Ok(()) };
    let lock = manifest.with_file_name("Cargo.lock");
    let library = format!("{:?}", root.join("notebooks/kernel"));
    let depends = std::fs::read_to_string(manifest).is_ok_and(|text| text.contains(&library));
    let locked = std::fs::read_to_string(&lock).is_ok_and(|text| text.contains("name = \"candle-core\""));
    if depends && !locked {
        let workspace = root.join("Cargo.lock");
        std::fs::copy(&workspace, &lock).map_err(|error| format!("{}: cannot copy: {error}", workspace.display()))?;
    }
    Ok(())
}

/// Drops the packages that no cell can name, and every mention of them.
fn prune(metadata: &mut Value) {
    let kept = kept(metadata);
    let is_kept = |id: &Value| id.as_str().is_some_and(|id| kept.contains(id));
    if let Some(packages) = metadata["packages"].as_array_mut() {
        packages.retain(|package| is_kept(&package["id"]));
    }
    if let Some(nodes) = metadata["resolve"]["nodes"].as_array_mut() {
        nodes.retain(|node| is_kept(&node["id"]));
        for node in nodes {
            if let Some(deps) = node["deps"].as_array_mut() {
                deps.retain(|dep| is_kept(&dep["pkg"]));
            }
            if let Some(dependencies) = node["dependencies"].as_array_mut() {
                dependencies.retain(&is_kept);
            }
        }
    }
}

/// The ids of the packages that stay: the workspace's own, and what can be reached from them by [`LOADED`].
fn kept(metadata: &Value) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let names: BTreeMap<String, String> =
        list(&metadata["packages"]).iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let edges: BTreeMap<String, Vec<String>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| (text(&node["id"]), list(&node["dependencies"]).iter().map(text).collect()))
        .collect();
    let mut kept: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = list(&metadata["workspace_members"]).iter().map(text).collect();
    while let Some(id) = open.pop() {
        let name = names.get(&id).map(String::as_str).unwrap_or_default();
        let loaded = LOADED.iter().find(|(package, _)| *package == name).map(|(_, dependencies)| *dependencies);
        for dependency in edges.get(&id).into_iter().flatten() {
            let name = names.get(dependency).map(String::as_str).unwrap_or_default();
            if loaded.is_none_or(|loaded| loaded.contains(&name)) && !kept.contains(dependency) {
                open.push(dependency.clone());
            }
        }
        kept.insert(id);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A cell crate that depends on the library and on `own`, a crate that the user has added.
    fn metadata() -> Value {
        let edges: &[(&str, &[&str])] = &[
            ("ctx", &["tachie", "own"]),
            ("tachie", &["candle-core", "clap"]),
            ("candle-core", &["half", "gemm"]),
            ("half", &["libm"]),
            ("own", &["libm"]),
            ("clap", &[]),
            ("gemm", &[]),
            ("libm", &[]),
        ];
        let packages: Vec<Value> = edges.iter().map(|(name, _)| json!({"id": name, "name": name})).collect();
        let nodes: Vec<Value> = edges
            .iter()
            .map(|(name, deps)| {
                let full: Vec<Value> = deps.iter().map(|dep| json!({"pkg": dep, "name": dep})).collect();
                json!({"id": name, "deps": full, "dependencies": deps})
            })
            .collect();
        json!({"packages": packages, "workspace_members": ["ctx"], "resolve": {"nodes": nodes, "root": "ctx"}})
    }

    #[test]
    fn only_packages_that_cells_can_name_are_kept() {
        let mut metadata = metadata();
        prune(&mut metadata);
        let names: Vec<&str> =
            metadata["packages"].as_array().unwrap().iter().map(|package| package["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["ctx", "tachie", "candle-core", "half", "own", "libm"]);
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
        let of = |name: &str| nodes.iter().find(|node| node["id"] == name).unwrap();
        assert_eq!(of("tachie")["dependencies"], json!(["candle-core"]));
        assert_eq!(of("candle-core")["deps"], json!([{"pkg": "half", "name": "half"}]));
    }

    #[test]
    fn what_a_user_adds_is_kept_with_all_it_needs() {
        let kept = kept(&metadata());
        assert!(kept.contains("own") && kept.contains("libm"));
        assert!(!kept.contains("clap") && !kept.contains("gemm"));
    }
}
