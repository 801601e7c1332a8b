//! Exactly one copy of this library per process.
//!
//! candle numbers its tensors from a `static` counter and keys gradients by that number. evcxr links rlib dependencies
//! into every cell's library, so that two copies would hand out the same numbers and gradients of one cell would
//! be taken for those of another, sometimes silently. Every [`crate::nn::params::ParamStore`] passes through
//! [`check`] before it exists.

use std::sync::OnceLock;

use crate::{Error, Result};

/// Which copy of the library came first in this process: `<process id>:<address>`.
///
/// The environment is the one table that all copies share. The process id is there because children inherit it.
const VARIABLE: &str = "TACHIE_IMAGE";

/// Its address tells copies apart.
static IMAGE: OnceLock<bool> = OnceLock::new();

/// Registers this copy as the process's own, or finds that another one was first.
///
/// # Errors
/// [`Error::LoadedTwice`] in every copy but the first.
pub fn check() -> Result<()> {
    let alone = *IMAGE.get_or_init(|| {
        let (process, address) = (std::process::id(), std::ptr::from_ref(&IMAGE).addr());
        match owner(std::env::var(VARIABLE).ok().as_deref(), process) {
            Some(first) => first == address,
            None => {
                // SAFETY: `OnceLock` lets one thread of this copy in here, once, before the first parameter exists.
                // The standard library's own lock keeps Rust threads off the table meanwhile; C code that reads the
                // environment at that moment would be at risk, and none of our dependencies does.
                unsafe { std::env::set_var(VARIABLE, format!("{process}:{address:x}")) };
                true
            }
        }
    });
    if alone { Ok(()) } else { Err(Error::LoadedTwice) }
}

/// Address of the first copy in process `process`, if `value` speaks of that process.
fn owner(value: Option<&str>, process: u32) -> Option<usize> {
    let (id, address) = value?.split_once(':')?;
    let address = usize::from_str_radix(address, 16).ok()?;
    (id.parse() == Ok(process)).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_meets_itself_without_complaint() {
        check().unwrap();
        check().unwrap();
        let value = std::env::var(VARIABLE).unwrap();
        assert_eq!(owner(Some(&value), std::process::id()), Some(std::ptr::from_ref(&IMAGE).addr()));
    }

    #[test]
    fn only_this_process_counts() {
        assert_eq!(owner(None, 7), None);
        assert_eq!(owner(Some("7:ff"), 7), Some(0xff));
        assert_eq!(owner(Some("8:ff"), 7), None, "inherited from a parent process");
        assert_eq!(owner(Some("rubbish"), 7), None);
    }

    /// Runs in child processes of the next test.
    #[test]
    fn child() {
        println!("verdict: {:?}", check());
    }

    #[cfg(unix)]
    #[test]
    fn another_copy_in_the_process_is_refused_and_one_of_the_parent_is_not() {
        check().unwrap();
        // `exec` keeps the process id of the shell, which so plays the copy that came first.
        let verdict = |first: &str| {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", &format!("{first} exec \"$0\" --exact nn::guard::tests::child --nocapture")]);
            let output = shell.arg(std::env::current_exe().unwrap()).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().find_map(|line| Some(line.split_once("verdict: ")?.1.to_string())).unwrap()
        };
        assert_eq!(verdict(""), "Ok(())");
        assert!(verdict("TACHIE_IMAGE=$$:1").contains("two copies of tachie"));
    }
}
