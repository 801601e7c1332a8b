//! `tachie data review`: a folder of pictures looked through by people.

use std::path::PathBuf;

use tachie::data::prepare::cascade::Cascade;
use tachie::data::prepare::detect::DetectOptions;
use tachie::data::prepare::review::{DECISIONS, Decision, Decisions, Line, Review, SheetOptions, Undecided};
use tachie::{Error, Result};

/// Look through a folder of pictures on a contact sheet, and copy what is kept; nothing is deleted
///
/// A page made with --out decides by single keys and saves decisions.jsonl: lines {"file", "decision": "keep", "drop" or
/// "undo", "time", "by", "reason"}, of which the last that stands counts. Files can be joined by appending one to the other.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of pictures, with its sub-folders; with a dataset.toml those that it describes
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// The contact sheet: a page (.html), figures (.png), or the measured numbers (.csv)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The decision file [default: decisions.jsonl in the folder of pictures]
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Decide about a picture; may be given more than once
    #[arg(long, value_name = "FILE=drop|keep|undo", value_parser = decision)]
    decide: Vec<(String, Decision)>,
    /// Who decides
    #[arg(long, value_name = "NAME", requires = "decide")]
    by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", requires = "decide")]
    reason: Option<String>,
    /// Copy what is kept to this folder, with a list of what is dropped
    #[arg(long, value_name = "DIR")]
    apply: Option<PathBuf>,
    /// Leave out undecided pictures when copying
    #[arg(long, requires = "apply")]
    only_kept: bool,
    /// Make hard links instead of copies
    #[arg(long, requires = "apply")]
    link: bool,
    /// Pictures in a row [default: as many as fit]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    columns: usize,
    /// Pictures at once
    #[arg(long, value_name = "N", default_value_t = 120)]
    page: usize,
    /// Longer side of the small pictures in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = SheetOptions::default().thumbnail)]
    thumbnail: u32,
    /// Look for faces with this cascade (lbpcascade_animeface.xml), and point out pictures without one
    #[arg(long, value_name = "XML")]
    cascade: Option<PathBuf>,
    #[command(flatten)]
    limits: super::art::LimitArgs,
}

fn decision(text: &str) -> Result<(String, Decision), String> {
    let wrong = || format!("{text:?}, expected FILE=drop, FILE=keep or FILE=undo");
    let (file, word) = text.rsplit_once('=').ok_or_else(wrong)?;
    let decision = match word {
        "drop" => Decision::Drop,
        "keep" => Decision::Keep,
        "undo" => Decision::Undo,
        _ => return Err(wrong()),
    };
    Ok((file.into(), decision))
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let review = Review::open(&args.input)?;
    let file = args.decisions.clone().unwrap_or_else(|| args.input.join(DECISIONS));
    if args.decisions.is_some() && args.decide.is_empty() && !file.is_file() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(Error::io("read the decision file", file, missing));
    }
    let mut review = review.decided(Decisions::open(&file)?);
    if !args.decide.is_empty() {
        let line = |(name, decision): &(String, Decision)| Line {
            by: args.by.clone(),
            reason: args.reason.clone(),
            ..Line::new(name, *decision)
        };
        let lines: Vec<Line> = args.decide.iter().map(line).collect();
        review.decide(&file, &lines)?;
    }
    println!("{review}");
    if let Some(out) = &args.out {
        let detect = |cascade: &PathBuf| Cascade::open(cascade).map(|cascade| (cascade, DetectOptions::default()));
        let faces = args.cascade.as_ref().map(detect).transpose()?;
        let (limits, near, thumbnail) = (args.limits.limits(), args.limits.near, args.thumbnail);
        let sheet = review.sheet(&SheetOptions { limits, near, faces, thumbnail })?;
        let files = sheet.save(out, args.columns, args.page)?;
        let flagged = sheet.entries().iter().filter(|entry| !entry.flags.is_empty()).count();
        let more = if files > 1 { format!(" and {} more", files - 1) } else { String::new() };
        println!("{}{more}: {} pictures, {flagged} pointed out", out.display(), sheet.entries().len());
        if !sheet.problems().is_clean() {
            println!("{}", sheet.problems());
        }
    }
    if let Some(folder) = &args.apply {
        let undecided = if args.only_kept { Undecided::LeaveOut } else { Undecided::Keep };
        println!("{}", review.apply(folder, undecided, args.link)?);
    }
    Ok(())
}
