//! What the machine has to have. A missing tool gets one line with the package to install.

use crate::Result;
use crate::stage::capture;
use std::process::Command;

/// Checks every tool, names all that are missing at once, and returns what was found.
pub fn check() -> Result<String> {
    let checks = [rust(), rust_src(), python(), linker()];
    let missing: Vec<&str> = checks.iter().filter_map(|check| check.as_ref().err().map(String::as_str)).collect();
    if !missing.is_empty() {
        return Err(missing.join("\nerror: "));
    }
    Ok(checks.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    capture(Command::new(program).args(args), program).ok()
}

/// The oldest compiler that the workspace promises to work with.
const RUST: (u32, u32) = (1, 95);

fn rust() -> Result<String> {
    let hint = format!("Rust {}.{} or newer is missing: install it with rustup, https://rustup.rs", RUST.0, RUST.1);
    output("cargo", &["--version"]).ok_or_else(|| hint.clone())?;
    let text = output("rustc", &["--version"]).ok_or_else(|| hint.clone())?;
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    if numbers(version) < RUST {
        return Err(format!("rustc is {version}; {hint} (or `rustup update`)"));
    }
    Ok(format!("rustc {version}"))
}

/// The sources of the standard library: without them the kernel cannot tell the type of a variable.
fn rust_src() -> Result<String> {
    let Some(sysroot) = output("rustc", &["--print", "sysroot"]) else {
        return Err("rustc does not name its sysroot".into());
    };
    let library = std::path::Path::new(&sysroot).join("lib/rustlib/src/rust/library/core");
    if library.is_dir() {
        return Ok("rust-src".into());
    }
    println!("      adding the rust-src component");
    match capture(Command::new("rustup").args(["component", "add", "rust-src"]), "rustup component add rust-src") {
        Ok(_) if library.is_dir() => Ok("rust-src (added)".into()),
        _ => Err("the standard library's sources are missing: `rustup component add rust-src`, \
                  or the package rust-src of your distribution"
            .into()),
    }
}

fn python() -> Result<String> {
    let Some(text) = output("python3", &["--version"]) else {
        return Err("python3 is missing: install the packages python3 and python3-venv".into());
    };
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    if numbers(version) < (3, 10) {
        return Err(format!("python3 is {version}: Jupyter needs Python 3.10 or newer"));
    }
    match output("python3", &["-c", "import venv, ensurepip"]) {
        Some(_) => Ok(format!("Python {version}")),
        None => Err("python3 cannot make a virtual environment: install the package python3-venv".into()),
    }
}

/// rustc links with the C compiler.
fn linker() -> Result<String> {
    let text = output("cc", &["--version"]).ok_or("a C compiler (cc) is missing: install the package gcc or clang")?;
    Ok(text.lines().next().unwrap_or("cc").to_string())
}

/// The first two numbers of a version.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert_eq!(numbers("1.95.0"), (1, 95));
        assert!(numbers("3.9.18") < numbers("3.10.0"));
        assert_eq!(numbers("unreadable"), (0, 0));
    }
}
