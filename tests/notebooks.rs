//! The committed notebooks are sources: no outputs, this clone's kernel, nothing of the machine they were written on.

use serde_json::Value;
use std::path::{Path, PathBuf};

fn notebooks() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "ipynb")).collect();
    files.retain(|path| !path.to_string_lossy().ends_with(".out.ipynb"));
    files.sort();
    files
}

/// What is wrong with a notebook as a committed source.
fn problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let notebook: Value = match serde_json::from_str(text) {
        Ok(notebook) => notebook,
        Err(error) => return vec![format!("is not JSON: {error}")],
    };
    if notebook["metadata"]["kernelspec"]["name"] != "tachie" {
        problems.push("names another kernel than `tachie`".to_string());
    }
    for (number, cell) in notebook["cells"].as_array().into_iter().flatten().enumerate() {
        let code = cell["cell_type"] == "code";
        if code && cell["outputs"].as_array().is_none_or(|outputs| !outputs.is_empty()) {
            problems.push(format!("cell {number} has outputs"));
        }
        if code && !cell["execution_count"].is_null() {
            problems.push(format!("cell {number} has an execution count"));
        }
        if code
            && lines(cell)
                .any(|line| line.contains("print!(") && !line.contains("println!(") && !line.contains("eprint"))
        {
            problems.push(format!("cell {number} prints without a newline, which hangs the kernel"));
        }
    }
    for place in ["/home/", "/root/", "/tmp/", "/work/", "C:\\\\"] {
        if text.contains(place) {
            problems.push(format!("names a place on somebody's machine: {place}"));
        }
    }
    problems
}

/// The lines of a cell; Jupyter allows one string or a list of them.
fn lines(cell: &Value) -> impl Iterator<Item = &str> {
    let list = cell["source"].as_array().into_iter().flatten().filter_map(Value::as_str);
    list.chain(cell["source"].as_str().into_iter().flat_map(str::lines))
}

#[test]
fn committed_notebooks_are_clean_sources() {
    let notebooks = notebooks();
    assert!(!notebooks.is_empty(), "there are no notebooks");
    for path in notebooks {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(problems(&text), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn each_problem_is_found() {
    let notebook = |cell: &str| {
        format!(r#"{{"cells": [{cell}], "metadata": {{"kernelspec": {{"name": "tachie"}}}}, "nbformat": 4}}"#)
    };
    let clean = r#"{"cell_type": "code", "execution_count": null, "outputs": [], "source": ["println!(\"x\")"]}"#;
    assert!(problems(&notebook(clean)).is_empty());
    for (from, to) in
        [("[]", r#"[{"output_type": "stream"}]"#), ("null", "3"), ("println!", "print!"), ("x", "/home/me/x")]
    {
        assert_eq!(problems(&notebook(&clean.replacen(from, to, 1))).len(), 1, "{from} -> {to}");
    }
    assert_eq!(problems(&notebook(clean).replace("tachie", "python3")).len(), 1);
    assert_eq!(problems("{").len(), 1);
}
