//! `tachie fetch`: published weights from where their publishers keep them.

use std::path::{Path, PathBuf};

use tachie::Result;
use tachie::weights::fetch::fetch;
use tachie::weights::manifest::WeightsManifest;

/// Download published weights, and check them
#[derive(Debug, clap::Args)]
pub struct Args {
    /// weights-inception, say, or the path of a manifest (.toml)
    #[arg(value_name = "WEIGHTS")]
    weights: String,
    /// The folder for the file
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> Result<()> {
    let manifest = match Path::new(&args.weights).extension() {
        Some(end) if end == "toml" => WeightsManifest::open(&args.weights)?,
        _ => WeightsManifest::named(&args.weights)?,
    };
    println!("{}: {}", manifest.name, manifest.title);
    println!("  from       {}", manifest.url);
    println!("  licence    {}", manifest.licence);
    let mut said = 0;
    let fetched = fetch(&manifest, &args.to, |have, total| {
        // A line every 10 %, or every 32 MiB where nobody knows the end.
        let part = total.map_or(have >> 25, |total| 10 * have / total.max(1));
        if part > said {
            said = part;
            let total = total.map_or(String::new(), |total| format!(" of {}", mebibytes(total)));
            println!("  received   {}{total}", mebibytes(have));
        }
    })?;
    let compared = match &manifest.sha256 {
        Some(sum) if sum.len() == 64 => "as its publisher says".to_string(),
        Some(sum) => format!("its publisher gives the first digits, {sum}: they agree"),
        None => "its publisher gives none: not compared".to_string(),
    };
    let there = if fetched.was_there { " (was there)" } else { "" };
    println!("  file       {}{there}, {} bytes", fetched.path.display(), fetched.bytes);
    println!("  sha256     {} ({compared})", fetched.sha256);
    println!("next: tachie import torch --kind {} {} --out NEW.safetensors", manifest.kind, fetched.path.display());
    Ok(())
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
