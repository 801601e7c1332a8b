//! Python environments inside the clone.

use crate::Result;
use crate::layout::Layout;
use crate::stage::{run, write};
use std::path::Path;
use std::process::Command;

/// Makes `folder` an environment with the packages of `list` (exact versions); pip gets `options` besides. False when it
/// already was.
pub fn environment(layout: &Layout, folder: &Path, list: &Path, options: &[&str]) -> Result<bool> {
    let wanted = std::fs::read_to_string(list).map_err(|error| format!("{}: cannot read: {error}", list.display()))?;
    let (installed, python) = (folder.join("installed.txt"), folder.join("bin/python"));
    if python.is_file() && std::fs::read_to_string(&installed).is_ok_and(|there| there == wanted) {
        return Ok(false);
    }
    let short = layout.short(folder).display();
    run(Command::new("python3").args(["-m", "venv"]).arg(folder), &format!("python3 -m venv {short}"))?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]);
    pip.args(options).arg("-r").arg(list);
    run(&mut pip, &format!("pip install -r {}", layout.short(list).display()))?;
    write(&installed, &wanted)?;
    Ok(true)
}
