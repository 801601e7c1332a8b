//! The Python environment and the kernel's registration, both inside the clone.

use crate::layout::Layout;
use crate::stage::{create_folder, write};
use crate::{Result, launch, venv};
use serde_json::json;

/// The name of the kernel in the notebooks' metadata.
pub const KERNEL: &str = "tachie";

/// Makes `.venv` with the packages of `xtask/requirements.txt`; does nothing when it already has them.
pub fn environment(layout: &Layout) -> Result<String> {
    let made = venv::environment(layout, &layout.venv(), &layout.root.join("xtask/requirements.txt"), &[])?;
    Ok(if made { "Jupyter installed" } else { "already there" }.into())
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
