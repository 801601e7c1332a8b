//! The Python environment and the kernel's registration, both inside the clone.

use crate::Result;
use crate::launch;
use crate::layout::Layout;
use crate::stage::{create_folder, run, write};
use serde_json::json;
use std::process::Command;

/// The name of the kernel in the notebooks' metadata.
pub const KERNEL: &str = "tachie";

/// Makes `.venv` with the packages of `xtask/requirements.txt`; does nothing when it already has them.
pub fn environment(layout: &Layout) -> Result<String> {
    let list = layout.root.join("xtask/requirements.txt");
    let wanted = std::fs::read_to_string(&list).map_err(|error| format!("{}: cannot read: {error}", list.display()))?;
    let installed = layout.venv().join("installed.txt");
    if layout.python().is_file() && std::fs::read_to_string(&installed).is_ok_and(|there| there == wanted) {
        return Ok("already there".into());
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(layout.venv()), "python3 -m venv .venv")?;
    let mut pip = Command::new(layout.python());
    pip.args(["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check", "-r"]).arg(&list);
    run(&mut pip, "pip install -r xtask/requirements.txt")?;
    write(&installed, &wanted)?;
    Ok("Jupyter installed".into())
}

/// Registers the kernel in `.venv`, where the Jupyter of this clone looks, and editors that are pointed at `.venv`.
pub fn register(layout: &Layout) -> Result<String> {
    let folder = layout.venv().join("share/jupyter/kernels").join(KERNEL);
    let specification = json!({
        "argv": [layout.kernel_programs().join(launch::PROGRAM), "{connection_file}"],
        "display_name": "Rust (tachie)",
        "language": "rust",
        "interrupt_mode": "message",
    });
    write(&folder.join("kernel.json"), &format!("{specification:#}\n"))?;
    create_folder(&layout.jupyter().join("tmp"))?;
    // JupyterLab asks about news and looks for updates on the network otherwise.
    let quiet =
        json!({"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}});
    write(&layout.jupyter().join("config/labconfig/default_setting_overrides.json"), &format!("{quiet:#}\n"))?;
    Ok(format!("registered in {}", layout.short(&folder).display()))
}
