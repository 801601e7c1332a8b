//! Compiles a cell without cargo.
//!
//! For every cell cargo looks at the fingerprints of about 350 packages, which takes longer than compiling the cell.
//! Within one kernel nothing changes between two cells but the cell's own source: so the first compilation goes through
//! cargo, the compiler call that it makes for the cell is written down, and later cells repeat that call.
//! Whatever else changes (a `:dep`, an option, a variable of the environment) makes the next cell go through cargo again.

use crate::Result;
use crate::errors;
use crate::stage::write;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name under which this program stands between cargo and rustc.
pub const RECORDER: &str = "rustc-recorder";

/// evcxr's name for the crate that it compiles cells from.
const CELL: &str = "ctx";

/// Set for the recorder: where the compiler call is written down, and what it belongs to.
const RECORD: &str = "TACHIE_KERNEL_RECORD";
const REQUEST: &str = "TACHIE_KERNEL_REQUEST";

/// cargo's means of talking to its children; they end with it.
const JOB_SERVER: [&str; 3] = ["CARGO_MAKEFLAGS", "MAKEFLAGS", "MFLAGS"];

/// A request to compile the cell in the current folder.
pub struct Request {
    record: PathBuf,
    /// All that the compiler call follows from, besides the compiled dependencies.
    identity: String,
}

impl Request {
    /// What is asked for, if it is `cargo build` for a cell.
    pub fn new(args: &[String], manifest: &Path) -> Option<Request> {
        let text = std::fs::read_to_string(manifest).ok()?;
        if !args.iter().any(|arg| arg == "build") || !text.contains(&format!("name = \"{CELL}\"")) {
            return None;
        }
        let environment: BTreeMap<String, String> = variables();
        let kernel = std::os::unix::process::parent_id();
        let identity = json!([kernel, args, text, environment]).to_string();
        Some(Request { record: std::env::current_dir().ok()?.join("compiler.json"), identity })
    }

    /// Repeats the compiler call of an earlier cell, and returns its exit code; `None` when cargo has to be asked.
    pub fn repeat(&self) -> Result<Option<i32>> {
        let Some(record) = std::fs::read_to_string(&self.record).ok().and_then(|text| serde_json::from_str(&text).ok())
        else {
            return Ok(None);
        };
        let record: Value = record;
        if record["identity"] != self.identity.as_str() {
            return Ok(None);
        }
        let args = strings(&record["args"]);
        if linked(&args) != record["linked"] {
            refuse("the library has been compiled anew since this kernel started: restart the kernel");
            return Ok(Some(101));
        }
        let variables = record["environment"].as_object().into_iter().flatten();
        let mut rustc = Command::new(&args[0]);
        rustc.args(&args[1..]).env_clear().stdin(Stdio::null());
        rustc.envs(variables.filter_map(|(name, value)| Some((name, value.as_str()?))));
        let status = errors::compile(&mut rustc)?;
        if status.success() {
            report(&args)?;
        }
        Ok(Some(status.code().unwrap_or(101)))
    }

    /// Lets cargo's compiler call be written down.
    pub fn record(&self, cargo: &mut Command) -> Result<()> {
        let here = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        cargo
            .env("RUSTC_WRAPPER", here.with_file_name(RECORDER))
            .env(RECORD, &self.record)
            .env(REQUEST, &self.identity);
        Ok(())
    }
}

/// Runs as cargo's rustc: writes the call for a cell down, and compiles it as [`Request::repeat`] does; becomes rustc
/// for everything else.
pub fn recorder(args: &[String]) -> Result<()> {
    let program = args.first().ok_or("cargo calls this with rustc and its arguments")?;
    let mut rustc = Command::new(program);
    rustc.args(&args[1..]);
    let cell = args.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == CELL);
    if let (true, Ok(path), Ok(identity)) = (cell, std::env::var(RECORD), std::env::var(REQUEST)) {
        let mut environment = variables();
        for name in JOB_SERVER.into_iter().chain(["RUSTC_WRAPPER", RECORD, REQUEST]) {
            environment.remove(name);
        }
        let record = json!({"identity": identity, "args": args, "environment": environment, "linked": linked(args)});
        write(Path::new(&path), &record.to_string())?;
        std::process::exit(errors::compile(&mut rustc)?.code().unwrap_or(101));
    }
    let error = std::os::unix::process::CommandExt::exec(&mut rustc);
    Err(format!("cannot run {program}: {error}"))
}

/// The environment; what is not text cannot be written down, and no compiler reads it.
fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|value| Some(value.as_str()?.to_string())).collect()
}

/// The compiled dependencies of a compiler call, with the times at which they were written.
fn linked(args: &[String]) -> Value {
    let externs = args.windows(2).filter(|pair| pair[0] == "--extern");
    let files = externs.filter_map(|pair| pair[1].split_once('=').map(|(_, file)| file));
    let time = |file: &str| {
        let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(since.as_nanos().to_string())
    };
    files.map(|file| json!([file, time(file)])).collect()
}

/// Puts the cell's library where cargo puts it, and says so as cargo does.
fn report(args: &[String]) -> Result<()> {
    let folder = args.windows(2).find(|pair| pair[0] == "--out-dir").map(|pair| PathBuf::from(&pair[1]));
    let folder = folder.ok_or("the compiler call names no folder for its output")?;
    let name = format!("lib{CELL}.so");
    let (built, place) = (folder.join(&name), folder.with_file_name(&name));
    let _ = std::fs::remove_file(&place);
    std::fs::hard_link(&built, &place).map_err(|error| format!("{}: cannot create: {error}", place.display()))?;
    println!("{}", json!({"reason": "compiler-artifact", "target": {"name": CELL}, "filenames": [place]}));
    Ok(())
}

/// Shows a message in the cell, in the form of a compiler's error.
fn refuse(message: &str) {
    let error =
        json!({"level": "error", "message": message, "rendered": message, "code": null, "spans": [], "children": []});
    eprintln!("{error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(library: &Path) -> Vec<String> {
        let library = format!("tachie={}", library.display());
        ["rustc", "--crate-name", "ctx", "--extern", &library, "--extern", "std"].map(str::to_string).to_vec()
    }

    #[test]
    fn a_dependency_that_is_compiled_anew_is_noticed() {
        let file = std::env::temp_dir().join(format!("tachie-linked-{}", std::process::id()));
        std::fs::write(&file, "one").unwrap();
        let before = linked(&call(&file));
        assert_eq!(linked(&call(&file)), before);
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
        assert_ne!(linked(&call(&file)), before);
        std::fs::remove_file(&file).unwrap();
        assert_ne!(linked(&call(&file)), before);
    }

    #[test]
    fn only_building_a_cell_is_a_request() {
        let folder = std::env::temp_dir().join(format!("tachie-request-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = folder.join("Cargo.toml");
        let args = |command: &str| vec![command.to_string()];
        std::fs::write(&manifest, "[package]\nname = \"ctx\"\n").unwrap();
        let first = Request::new(&args("build"), &manifest).unwrap();
        assert!(Request::new(&args("check"), &manifest).is_none());
        std::fs::write(&manifest, "[package]\nname = \"ctx\"\n[dependencies]\nrand = \"*\"\n").unwrap();
        assert_ne!(Request::new(&args("build"), &manifest).unwrap().identity, first.identity);
        std::fs::write(&manifest, "[package]\nname = \"evcxr_dummy_validate_dep\"\n").unwrap();
        assert!(Request::new(&args("build"), &manifest).is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
