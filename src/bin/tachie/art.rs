//! `tachie data game-art`: a game's textures as a data set.

use std::path::PathBuf;

use tachie::Result;
use tachie::data::manifest::{Background, Filter};
use tachie::data::prepare::art::{ArtOptions, Channel, Transparency, game_art};
use tachie::data::prepare::measure::Limits;

/// Make a data set of a game's textures: join colours and opacity, put pieces together, trim, bring to size
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of textures, with its sub-folders
    #[arg(long = "in", value_name = "DIR")]
    input: PathBuf,
    /// New or empty folder, or one that the same settings have begun
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Side of the pictures in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 512)]
    size: u32,
    /// Leave the pictures as large as they are, untrimmed
    #[arg(long, conflicts_with_all = ["size", "pyramid", "no_enlarge"])]
    as_is: bool,
    /// What becomes of opacity
    #[arg(long, value_enum, default_value = "composite")]
    mode: Mode,
    /// With `--mode threshold`: pixels of less opacity become background, the others stay as they are
    #[arg(long, value_name = "0-255", default_value_t = 80)]
    threshold: u8,
    /// Keep opacity: files have four channels
    #[arg(long, conflicts_with_all = ["mode", "threshold"])]
    keep_alpha: bool,
    /// Channel of opacity textures that is the opacity
    #[arg(long, value_enum, default_value = "r")]
    alpha_channel: ChannelName,
    /// Name of a folder of opacity textures beside those of the colours, besides alpha, mask and opacity
    #[arg(long, value_name = "NAME")]
    alpha_dir: Vec<String>,
    /// Folder of meshes, x.obj or x-mesh.obj for x.png; those beside the textures are found without
    #[arg(long, value_name = "DIR")]
    mesh_dir: Option<PathBuf>,
    /// What is seen through the pictures and beside them: R,G,B or rrggbb
    #[arg(long, value_name = "COLOUR", default_value = "ffffff", value_parser = colour)]
    background: Background,
    /// Opacity from which a pixel counts as visible when pictures are trimmed (with threshold: that)
    #[arg(long, value_name = "1-255", default_value_t = ArtOptions::default().visible)]
    visible: u8,
    /// Pixels that are left around what is visible
    #[arg(long, value_name = "PIXELS", default_value_t = 0)]
    margin: u32,
    /// How pictures are resized
    #[arg(long, value_enum, default_value = "lanczos")]
    filter: FilterName,
    /// Also the halvings of the size down to 4 pixels, in folders named after them; the size is a power of two
    #[arg(long)]
    pyramid: bool,
    /// Leave out pictures that are smaller than the size
    #[arg(long)]
    no_enlarge: bool,
    #[command(flatten)]
    limits: LimitArgs,
    /// Leave out near-duplicates of earlier pictures instead of reporting them
    #[arg(long)]
    drop_near: bool,
    /// What the pictures are, for the manifest
    #[arg(long, value_name = "TEXT", default_value_t = ArtOptions::default().title)]
    title: String,
    /// Whose they are, for the manifest
    #[arg(long, value_name = "TEXT", default_value_t = ArtOptions::default().licence)]
    licence: String,
    /// Where they are from, for the manifest
    #[arg(long, value_name = "TEXT", default_value_t = ArtOptions::default().source)]
    source: String,
}

/// What is left out here and pointed out in a review.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct LimitArgs {
    /// Fewest pixels of the shorter side
    #[arg(long, value_name = "PIXELS", default_value_t = Limits::default().min_side)]
    min_side: u32,
    /// Most shorter sides that the longer side is long
    #[arg(long, value_name = "X", default_value_t = Limits::default().max_aspect)]
    max_aspect: f64,
    /// Largest share of pixels that show nothing
    #[arg(long, value_name = "SHARE", default_value_t = Limits::default().max_blank)]
    max_blank: f64,
    /// Pictures that differ in at most so many of 256 bits look alike
    #[arg(long, value_name = "BITS", default_value_t = ArtOptions::default().near)]
    pub near: u32,
}

impl LimitArgs {
    pub fn limits(&self) -> Limits {
        let &LimitArgs { min_side, max_aspect, max_blank, .. } = self;
        Limits { min_side, max_aspect, max_blank }
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Mode {
    /// Pictures are laid over the background
    Composite,
    /// Pixels below the threshold become background, the others lose their opacity: the HKUST report's rule
    Threshold,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ChannelName {
    /// Red
    R,
    /// Green
    G,
    /// Blue
    B,
    /// The texture's own opacity
    A,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FilterName {
    /// Three lobes: the sharpest
    Lanczos,
    /// The mean by area: nothing overshoots
    Box,
    /// Catmull–Rom cubic
    Bicubic,
    /// Linear
    Bilinear,
}

fn colour(text: &str) -> Result<Background, String> {
    text.parse()
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let transparency = match args.mode {
        _ if args.keep_alpha => Transparency::Keep,
        Mode::Composite => Transparency::Composite,
        Mode::Threshold => Transparency::Threshold(args.threshold),
    };
    let channel = match args.alpha_channel {
        ChannelName::R => Channel::Red,
        ChannelName::G => Channel::Green,
        ChannelName::B => Channel::Blue,
        ChannelName::A => Channel::Alpha,
    };
    let filter = match args.filter {
        FilterName::Lanczos => Filter::Lanczos,
        FilterName::Box => Filter::Box,
        FilterName::Bicubic => Filter::Bicubic,
        FilterName::Bilinear => Filter::Bilinear,
    };
    let options = ArtOptions {
        size: (!args.as_is).then_some(args.size),
        transparency,
        channel,
        background: args.background,
        alpha_folders: args.alpha_dir.clone(),
        meshes: args.mesh_dir.clone(),
        visible: args.visible,
        margin: args.margin,
        filter,
        enlarge: !args.no_enlarge,
        pyramid: args.pyramid,
        limits: args.limits.limits(),
        near: args.limits.near,
        drop_near: args.drop_near,
        title: args.title.clone(),
        licence: args.licence.clone(),
        source: args.source.clone(),
    };
    println!("{}", game_art(&args.input, &args.out, &options)?);
    Ok(())
}
