//! `tachie generate`: pictures of numbered seeds; `tachie style-mix`: some with the styles of others.

use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::{Args as ClapArgs, ValueEnum};
use tachie::data::batch::Images;
use tachie::models::baselines::progan::Progan;
use tachie::models::model::{Model, model_of_file, model_of_run};
use tachie::models::stylegan::{self, Stylegan, Truncation};
use tachie::rng::Seed;
use tachie::sample::{NoiseMode, Projected, seeds};
use tachie::train::gan::Gan;
use tachie::{Error, Result};

/// Where a trained model is.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct From {
    /// Weights: a safetensors file written by `tachie train`, `tachie import` or a notebook
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Run folder: the running average of its last checkpoint
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Either of both: a file of weights or a run folder
    #[arg(long, value_name = "PATH")]
    model: Option<PathBuf>,
}

impl From {
    /// The file or folder.
    fn path(&self) -> &Path {
        let given = [&self.weights, &self.run, &self.model].into_iter().flatten().next();
        given.map_or(Path::new(""), PathBuf::as_path)
    }

    fn is_run(&self) -> bool {
        self.run.is_some() || (self.model.is_some() && self.path().is_dir())
    }

    /// The model's name in the catalogue.
    pub fn model(&self) -> Result<String> {
        if self.is_run() { model_of_run(self.path()) } else { model_of_file(self.path()) }
    }

    /// The model, drawing with the running average of its weights.
    pub fn open<G: Gan>(&self, device: &Device) -> Result<Model<G>> {
        match self.is_run() {
            true => Ok(Model::open_run(self.path(), device)?.ema()),
            false => Model::open(self.path(), device),
        }
    }
}

/// Draw the pictures of numbered seeds (StyleGAN, Progressive GAN)
///
/// A seed is NumPy's: `RandomState(seed).randn(..)` is the latent, as in published figures.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    from: From,
    /// Seeds: numbers and ranges with commas between them, 1,5-9
    #[arg(long, value_name = "SEEDS", required_unless_present = "projected")]
    seeds: Option<String>,
    /// Styles that `tachie project` has found, in place of seeds (StyleGAN)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "truncation"])]
    projected: Option<PathBuf>,
    /// How far styles are drawn towards their mean: 1 not at all, 0 altogether (StyleGAN)
    #[arg(long, value_name = "PSI", allow_negative_numbers = true)]
    truncation: Option<f64>,
    /// Layers whose styles are drawn towards the mean, from the first on [default: all]
    #[arg(long, value_name = "N", requires = "truncation")]
    cutoff: Option<usize>,
    /// Draw this class, of a model that was trained with classes ("green hair"; Progressive GAN)
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// Noise that layers add (StyleGAN)
    #[arg(long, value_enum, default_value = "const")]
    noise_mode: NoiseArg,
    /// A PNG for a grid of all pictures, or a folder for a PNG each (seed0001.png)
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Pictures per row of the grid
    #[arg(long, default_value_t = 8)]
    columns: usize,
}

/// The noise that layers add.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum NoiseArg {
    /// The network's own
    Const,
    /// Fresh for every picture
    Random,
    /// None
    None,
}

impl NoiseArg {
    fn mode(self) -> NoiseMode {
        match self {
            NoiseArg::Const => NoiseMode::Const,
            NoiseArg::Random => NoiseMode::Random(Seed(0)),
            NoiseArg::None => NoiseMode::Off,
        }
    }
}

/// Runs `tachie generate`.
///
/// # Errors
/// When the model cannot be opened or does not draw from seeds alone, or the pictures cannot be written.
pub fn run(args: Args) -> Result<()> {
    let device = tachie::device()?;
    if let Some(path) = &args.projected {
        let images =
            args.from.open::<stylegan::Adversaries>(&device)?.draw_projected(&Projected::open(path, &device)?)?;
        let captions: Vec<String> = (0..images.len()).map(|i| format!("projected {i}")).collect();
        return write(&images, &captions, |i| format!("projected{i:04}.png"), &args.out, args.columns);
    }
    let numbers = seeds::parse(args.seeds.as_deref().unwrap_or_default())?;
    let images = match args.from.model()?.as_str() {
        "stylegan" if args.class.is_some() => {
            let hint = "StyleGAN has no classes; leave the option out.";
            return Err(Error::invalid("--class", "a model without classes", "a Progressive GAN with them", hint));
        }
        "stylegan" => {
            let model: Stylegan = args.from.open(&device)?;
            let truncation = args.truncation.map(|psi| Truncation { psi, cutoff: args.cutoff });
            model.draw(&model.styles(&model.latents(&numbers)?, truncation)?, args.noise_mode.mode())?
        }
        "progan" => {
            if args.truncation.is_some() {
                let hint = "Progressive GAN has no styles; leave the option out.";
                return Err(Error::invalid("--truncation", "a model without styles", "a StyleGAN", hint));
            }
            let model: Progan = args.from.open(&device)?;
            let z = model.latents(&numbers)?;
            args.class.as_ref().map_or_else(|| model.draw(&z), |class| model.draw_class(&z, class))?
        }
        other => {
            let hint = match other {
                "make-girls" => "Draw with `tachie sample make-girls`.",
                "psgan" => "It needs poses: `tachie animate`.",
                _ => "",
            };
            let found = format!("a model of {other}");
            return Err(Error::file(args.from.path(), found, "stylegan or progan", hint));
        }
    };
    let captions: Vec<String> = numbers.iter().map(|seed| format!("seed {seed}")).collect();
    write(&images, &captions, |i| format!("seed{:04}.png", numbers[i]), &args.out, args.columns)
}

fn write(
    images: &Images,
    captions: &[String],
    name: impl Fn(usize) -> String,
    out: &Path,
    columns: usize,
) -> Result<()> {
    if out.extension().is_some() {
        images.grid(columns.max(1))?.captions(captions).save(out)?;
        println!("{} pictures: {}", images.len(), out.display());
        return Ok(());
    }
    for (i, picture) in images.to_rgb()?.into_iter().enumerate() {
        let grid = Images::from_rgb(&[picture])?.grid(1)?.padding(0).scale(1);
        grid.save(out.join(name(i)))?;
    }
    println!("{} pictures in {}", images.len(), out.display());
    Ok(())
}

/// Draw destinations with the styles of sources, as figure 3 of the StyleGAN paper
#[derive(Debug, ClapArgs)]
pub struct MixArgs {
    #[command(flatten)]
    from: From,
    /// Seeds of the sources, a row each
    #[arg(long, value_name = "SEEDS")]
    rows: String,
    /// Seeds of the destinations, a column each
    #[arg(long, value_name = "SEEDS")]
    cols: String,
    /// Layers that get the source's styles, both ends included: 0-3 is coarse, 4-7 middle. One range for all rows, or one
    /// a row with commas between them
    #[arg(long, value_name = "LAYERS", default_value = "0-6")]
    styles: String,
    /// How far styles are drawn towards their mean: 1 not at all, 0 altogether
    #[arg(long, value_name = "PSI", allow_negative_numbers = true)]
    truncation: Option<f64>,
    /// Where the figure goes, a PNG
    #[arg(long, value_name = "PNG")]
    out: PathBuf,
}

/// Runs `tachie style-mix`.
///
/// # Errors
/// When the model is no StyleGAN, an option cannot be read, or the figure cannot be written.
pub fn mix(args: MixArgs) -> Result<()> {
    let model: Stylegan = args.from.open(&tachie::device()?)?;
    let (sources, destinations) = (seeds::parse(&args.rows)?, seeds::parse(&args.cols)?);
    let mut ranges = Vec::new();
    for part in args.styles.split(',') {
        let layers = seeds::parse(part)?;
        ranges.push(layers[0] as usize..layers[layers.len() - 1] as usize + 1);
    }
    if let [range] = &ranges[..] {
        ranges = vec![range.clone(); sources.len()];
    }
    let truncation = args.truncation.map(|psi| Truncation { psi, cutoff: None });
    model.style_mixing(&sources, &destinations, &ranges, truncation)?.save(&args.out)?;
    println!("{} × {} pictures: {}", sources.len(), destinations.len(), args.out.display());
    Ok(())
}
