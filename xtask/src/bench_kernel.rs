//! `cargo xtask bench-kernel`: what the notebook kernel takes, as the table that environment.md shows.

use crate::Result;
use crate::layout::Layout;
use crate::stage::{Stages, run};
use crate::{jupyter, notebooks};

/// Sets the kernel up, then measures it; arguments are the script's own (`--runs N`).
pub fn bench(layout: &Layout, args: &[String]) -> Result<()> {
    let mut stages = Stages::new(notebooks::SETUP_STAGES);
    notebooks::prepare(layout, &mut stages)?;
    let mut script = layout.jupyter_command("python");
    script.current_dir(layout.notebooks());
    script.arg(layout.root.join("xtask/python/bench_kernel.py")).args(["--kernel", jupyter::KERNEL]).args(args);
    run(&mut script, "measuring the kernel")
}
