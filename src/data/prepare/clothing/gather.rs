//! Step 1: what local folders hold.
//!
//! The paper crawls a terabyte for "cosplay costume A B", A being a title and B one of 40 shops (section 3). Nothing is
//! crawled here: folders that somebody has are gathered into one. A file that says what was asked for where
//! ([`CrawlManifest`]) goes along.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::step::{Contents, Input, Product, Step, StepReport, inputs, separate};
use crate::data::import::{Refused, header, original, walk_named, within};
use crate::data::report::{Action, Report};
use crate::show::save::write_whole;
use crate::{Error, Result};

/// Name of the crawl's description in the output.
pub const CRAWL: &str = "crawl.json";
/// Pictures that are checked before any of them is copied.
const CHUNK: usize = 32;

/// What a crawl asked for, for people and for papers: nothing of it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrawlManifest {
    /// Words that were searched for ("cosplay costume A B").
    pub queries: Vec<String>,
    /// Shops and sites that were asked.
    pub shops: Vec<String>,
    /// Titles whose costumes were looked for.
    pub titles: Vec<String>,
    /// When.
    pub date: String,
    /// Anything else.
    pub note: String,
}

impl CrawlManifest {
    /// Reads a description: JSON with the keys queries, shops, titles, date and note, all optional.
    ///
    /// # Errors
    /// When the file cannot be read, or is something else.
    pub fn open(path: impl AsRef<Path>) -> Result<CrawlManifest> {
        let path = path.as_ref();
        let text = fs::read(path).map_err(|error| Error::io("read the description of the crawl", path, error))?;
        serde_json::from_slice(&text).map_err(|error| {
            let expected = "JSON with queries, shops and titles (lists), date and note (texts)";
            Error::file(path, error.to_string(), expected, "")
        })
    }
}

/// How files are gathered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatherOptions {
    /// Pictures with a shorter side are left out, in pixels.
    pub min_side: u32,
    /// Give files a second name instead of copying them: no disk space, but a change of one changes both.
    pub link: bool,
    /// What the crawl asked for.
    pub crawl: Option<CrawlManifest>,
}

/// What the record says of a picture.
#[derive(Clone, Serialize, Deserialize)]
struct Gathered {
    size: (u32, u32),
    bytes: u64,
    blake3: String,
}

/// Puts every picture below the folders into `images/` of `output`, with the ending that its contents have; with several
/// folders in sub-folders named after them. Files are copied as they are once decoding has shown that they are whole. Every
/// other file, whatever its name, is in the report with the reason; so are files of the same bytes, which stay. A run that
/// was interrupted goes on where it was.
///
/// # Errors
/// When there is no folder, one cannot be read or written, two have one name, or `output` is inside of one or holds anything
/// but the same step.
pub fn gather(folders: &[PathBuf], output: impl AsRef<Path>, options: &GatherOptions) -> Result<StepReport> {
    gather_in(folders, output.as_ref(), options)
}

fn gather_in(folders: &[PathBuf], output: &Path, options: &GatherOptions) -> Result<StepReport> {
    if folders.is_empty() {
        return Err(Error::invalid("folders to gather", "none", "at least one", ""));
    }
    let (mut problems, mut found) = (Report::default(), Vec::new());
    let mut names: BTreeMap<String, &PathBuf> = BTreeMap::new();
    for folder in folders {
        let root = separate(folder, output)?;
        let name = root.file_name().map_or_else(|| "pictures".into(), |name| name.to_string_lossy().into_owned());
        if let Some(first) = names.insert(name.clone(), folder) {
            let found = format!("{} and {}", first.display(), folder.display());
            return Err(Error::invalid("folders to gather", found, "folders of different names", "Rename one."));
        }
        let mut of_folder = Report::default();
        let files = walk_named(&root, &mut of_folder, |_| true)?;
        let files = within(&root, files, &mut of_folder);
        let below = |file: &str| if folders.len() == 1 { file.to_string() } else { format!("{name}/{file}") };
        found.extend(files.into_iter().map(|(file, path)| (below(&file), path)));
        for problem in of_folder.problems {
            problems.add(&problem.kind, &below(&problem.file), problem.detail, problem.action);
        }
    }
    let mut step: Step<Gathered> = Step::begin(output, "gather", options)?;
    if let Some(crawl) = &options.crawl {
        let text = serde_json::to_vec_pretty(crawl)
            .map_err(|error| Error::invalid("crawl", error.to_string(), "texts that JSON can hold", ""))?;
        write_whole(&output.join(CRAWL), &text)?;
    }
    step.report.problems.extend(problems.problems);
    let made = step.run(&inputs(found), CHUNK, |input| Ok(look(input, options)))?;
    let mut firsts: BTreeMap<String, String> = BTreeMap::new();
    for (input, gathered) in &made {
        match firsts.get(&gathered.blake3) {
            Some(first) => step.report.add("same file", &input.file, format!("as {first}"), Action::Kept),
            None => drop(firsts.insert(gathered.blake3.clone(), input.file.clone())),
        }
    }
    step.finish(made.len())
}

fn look(input: &Input, options: &GatherOptions) -> Result<Product<Gathered>, Refused> {
    let head = header(&input.path)?;
    let (width, height) = head.size;
    if width.min(height) < options.min_side.max(1) {
        return Err(Refused("too small", format!("{width}×{height} pixels")));
    }
    // Only decoding shows whether the rest is there.
    original(&input.path)?;
    let (blake3, bytes) = digest(&input.path).map_err(|error| Refused("cannot be read", error.to_string()))?;
    let endings = head.format.extensions_str();
    let ending = endings.first().copied().unwrap_or("png");
    let own = Path::new(&input.file).extension().map(|own| own.to_string_lossy().to_lowercase());
    let mut notes = Vec::new();
    if !own.as_deref().is_some_and(|own| endings.contains(&own)) {
        notes.push(("wrong ending".into(), format!("{ending}, named {:?}", own.unwrap_or_default())));
    }
    let to = format!("images/{}.{ending}", input.stem);
    let contents = Contents::File { from: input.path.clone(), link: options.link };
    Ok(Product { facts: Gathered { size: head.size, bytes, blake3 }, files: vec![(to, contents)], notes })
}

/// BLAKE3 of a file in hexadecimal digits, and its length.
fn digest(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = fs::File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let (mut buffer, mut length) = (vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hasher.finalize().to_hex().to_string(), length)),
            read => {
                hasher.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}
