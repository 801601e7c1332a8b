//! Passes the compiler's errors on so that evcxr draws the right conclusion from each.
//!
//! evcxr first compiles a cell with `(last expression).evcxr_display()`. Whatever error mentions those lines makes it
//! show the value with `{:?}` instead, as text. A variable that the last expression takes (`Grid::rows([a, b])`) gives
//! such an error: evcxr tries to store the variable after the cell, and the compiler adds where it was moved to. All
//! that evcxr has to do then is not to store the variable, so the error keeps the place where that is tried and loses
//! the others.

use crate::Result;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitStatus, Stdio};

/// The compiler's code for a variable that is used after it was moved.
const MOVED: &str = "E0382";

/// What a line holds with which evcxr stores a variable, in a cell's code and in the code it checks.
const STORES: [&str; 2] = ["evcxr_variable_store.put_variable::<", "evcxr_variable_store("];

/// Runs a compiler that writes its messages as JSON to stderr.
pub fn compile(rustc: &mut Command) -> Result<ExitStatus> {
    let program = rustc.get_program().to_owned();
    let wrong = |error: std::io::Error| format!("cannot run {}: {error}", program.display());
    let mut child = rustc.stderr(Stdio::piped()).spawn().map_err(wrong)?;
    let messages = child.stderr.take().ok_or("the compiler has no messages")?;
    for line in BufReader::new(messages).split(b'\n') {
        let line = line.map_err(wrong)?;
        let line = match std::str::from_utf8(&line) {
            Ok(text) => about_storing(text).map_or(line, String::into_bytes),
            Err(_) => line,
        };
        std::io::stderr().write_all(&[line, b"\n".to_vec()].concat()).map_err(wrong)?;
    }
    child.wait().map_err(wrong)
}

/// The message without the places in it that are not about storing a variable, if that is what the message is about.
fn about_storing(line: &str) -> Option<String> {
    // Most lines are no errors at all, and parsing is the slow part.
    let mut message: Value = line.contains(MOVED).then(|| serde_json::from_str(line).ok())??;
    let stores = |span: &Value| {
        let code = span["text"][0]["text"].as_str().unwrap_or_default();
        span["is_primary"] == true && STORES.iter().any(|call| code.trim_start().starts_with(call))
    };
    if message["code"]["code"] != MOVED || !message["spans"].as_array()?.iter().any(stores) {
        return None;
    }
    message["spans"].as_array_mut()?.retain(stores);
    message["children"] = json!([]);
    Some(message.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places in the compiler's messages about a cell, as lines of its code, after [`about_storing`].
    fn places(code: &str) -> Vec<(String, Vec<String>)> {
        let folder = std::env::temp_dir().join(format!("tachie-errors-{}-{}", std::process::id(), code.len()));
        crate::stage::create_folder(&folder).unwrap();
        std::fs::write(folder.join("lib.rs"), code).unwrap();
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=json", "lib.rs"]);
        let output = rustc.current_dir(&folder).output().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let messages = text.lines().map(|line| about_storing(line).unwrap_or_else(|| line.to_string()));
        let messages = messages.map(|line| serde_json::from_str::<Value>(&line).unwrap());
        let text = |span: &Value| span["text"][0]["text"].as_str().unwrap().trim().to_string();
        let described = messages.filter_map(|message| {
            let code = message["code"]["code"].as_str()?.to_string();
            Some((code, message["spans"].as_array()?.iter().map(text).collect()))
        });
        described.collect()
    }

    /// A cell as evcxr 0.22 writes it: `statements`, the shown value, and its variable stored.
    fn cell(statements: &str, shown: &str) -> String {
        format!(
            "pub struct Grid(pub [String; 1]);\nimpl Grid {{ pub fn evcxr_display(&self) {{}} }}\n\
             mod evcxr_internal_runtime {{ pub struct Store; \
             impl Store {{ pub fn put_variable<T>(&mut self, _: &str, _: T) {{}} }} }}\n\
             pub fn run(evcxr_variable_store: &mut evcxr_internal_runtime::Store) {{\n\
             let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {{\n{statements}\n\
             (\n{shown}\n).evcxr_display();\n\
             evcxr_variable_store.put_variable::<String>(stringify!(with), with);\n}}));\n}}\n"
        )
    }

    #[test]
    fn a_variable_that_the_shown_value_takes_is_an_error_of_storing_it_only() {
        let stored = "evcxr_variable_store.put_variable::<String>(stringify!(with), with);".to_string();
        let errors = places(&cell("let with = String::new();", "Grid([with])"));
        assert_eq!(errors, [("E0382".to_string(), vec![stored])]);
        assert!(places(&cell("let with = String::new();", "Grid([with.clone()])")).is_empty());
    }

    #[test]
    fn other_errors_are_passed_on_as_they_are() {
        let errors = places(&cell("let with = String::new(); let a = with;", "Grid([with])"));
        assert!(errors.iter().any(|(code, places)| code == "E0382" && places.contains(&"Grid([with])".to_string())));
        let errors = places(&cell("let with = String::new();", "7"));
        assert_eq!(errors[0].0, "E0599");
        assert!(about_storing("error: linking failed, E0382").is_none());
    }
}
