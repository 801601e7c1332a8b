//! The notebooks: setting their kernel up, executing them, opening JupyterLab.

use crate::layout::Layout;
use crate::stage::{Stages, create_folder, run};
use crate::{Result, jupyter, kernel, tools};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `cargo xtask tour`
pub fn tour(layout: &Layout) -> Result<()> {
    let notebooks = committed(layout, &["00_tour".to_string()])?;
    let mut stages = Stages::new(SETUP_STAGES + 1);
    prepare(layout, &mut stages)?;
    let folder = layout.target().join("tour");
    stages.run("Executing notebooks/00_tour.ipynb", || {
        execute(layout, &notebooks, &folder)?;
        Ok("executed".into())
    })?;
    println!();
    println!("Done in {:.0} s. The page:      {}", stages.seconds(), folder.join("00_tour.html").display());
    println!("The executed notebook:  {}", folder.join("00_tour.ipynb").display());
    println!("To work in it yourself: cargo xtask lab");
    Ok(())
}

/// `cargo xtask setup`
pub fn setup(layout: &Layout) -> Result<()> {
    let mut stages = Stages::new(SETUP_STAGES);
    prepare(layout, &mut stages)?;
    println!("Done in {:.0} s. Next: cargo xtask tour, or cargo xtask lab", stages.seconds());
    Ok(())
}

/// `cargo xtask lab`; arguments are JupyterLab's own.
pub fn lab(layout: &Layout, args: &[String]) -> Result<()> {
    let mut stages = Stages::new(SETUP_STAGES);
    prepare(layout, &mut stages)?;
    println!("Starting JupyterLab; end it with Ctrl-C. A notebook is ready some seconds after it opens.");
    let mut lab = layout.jupyter_command("jupyter-lab");
    // Inside a container one is root; Jupyter refuses that otherwise.
    lab.arg(format!("--MultiKernelManager.default_kernel_name={}", jupyter::KERNEL));
    lab.arg("--allow-root").arg("--notebook-dir").arg(layout.notebooks()).args(args);
    run(&mut lab, "JupyterLab")
}

/// `cargo xtask notebooks [name...]`
pub fn all(layout: &Layout, names: &[String]) -> Result<()> {
    let notebooks = committed(layout, names)?;
    let mut stages = Stages::new(SETUP_STAGES + 1);
    prepare(layout, &mut stages)?;
    let folder = layout.target().join("notebooks");
    stages.run("Executing the notebooks", || {
        execute(layout, &notebooks, &folder)?;
        Ok(format!("{} executed, results in {}", notebooks.len(), layout.short(&folder).display()))
    })
}

/// How many stages [`prepare`] has.
pub const SETUP_STAGES: usize = 5;

/// Everything that executing a notebook needs.
pub fn prepare(layout: &Layout, stages: &mut Stages) -> Result<()> {
    stages.run("Looking for Rust, Python and a C compiler", tools::check)?;
    stages.run("Jupyter into .venv", || jupyter::environment(layout))?;
    stages.run("The kernel's programs", || kernel::programs(layout))?;
    stages.run("Registering the kernel inside this clone", || jupyter::register(layout))?;
    stages.run("Compiling the kernel and the library that cells link", || kernel::compile(layout))
}

/// The committed notebooks, or those among them that are named.
pub fn committed(layout: &Layout, names: &[String]) -> Result<Vec<PathBuf>> {
    let folder = layout.notebooks();
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: cannot list: {error}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| is_source(path));
    found.sort();
    if names.is_empty() {
        return Ok(found);
    }
    let named = |name: &String| {
        let wanted = Path::new(name).file_stem().unwrap_or_default();
        found.iter().find(|path| path.file_stem() == Some(wanted)).cloned().ok_or_else(|| {
            let known: Vec<_> = found.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
            format!("no notebook is called `{name}`; there are {}", known.join(", "))
        })
    };
    names.iter().map(named).collect()
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".ipynb") && !name.ends_with(".out.ipynb")
}

/// Runs notebooks through the kernel and writes the executed notebook and its page into `folder`.
/// Fails on anything that went wrong in a cell, also on what Jupyter itself does not count as a failure.
pub fn execute(layout: &Layout, notebooks: &[PathBuf], folder: &Path) -> Result<()> {
    create_folder(folder)?;
    run(&mut runner(layout, notebooks, folder), "executing the notebook")
}

/// [`execute`] with the short budget of a test run.
pub fn execute_briefly(layout: &Layout, notebook: &Path, folder: &Path) -> Result<()> {
    create_folder(folder)?;
    run(runner(layout, &[notebook.to_path_buf()], folder).env("TACHIE_BUDGET", "ci"), "executing the notebook")
}

fn runner(layout: &Layout, notebooks: &[PathBuf], folder: &Path) -> Command {
    let mut runner = layout.jupyter_command("python");
    runner.arg(layout.root.join("xtask/python/notebook.py"));
    runner.args(["--kernel", jupyter::KERNEL, "--out"]).arg(folder).args(notebooks);
    runner
}
