//! `tachie edit`: another hair colour for a face in a picture.

use std::path::{Path, PathBuf};

use candle_core::Device;
use clap::Args as ClapArgs;
use tachie::data::prepare::cascade::Cascade;
use tachie::data::prepare::faces::FaceSquare;
use tachie::image::RgbImage;
use tachie::models::animegan::{Adversaries, OfAnimegan};
use tachie::models::baselines::attgan::OfAttgan;
use tachie::models::baselines::stgan::OfStgan;
use tachie::models::baselines::{fadernet, icgan, stargan};
use tachie::models::editing::{Editing, open_picture};
use tachie::models::model::Model;
use tachie::{Error, Result};

use crate::generate::From;

/// Edit the attributes of a face in a picture (animegan, stgan, attgan, stargan, fadernet, icgan)
///
/// The face is cut out, its labels are read, it is edited at the model's size, and what changes is put back into the
/// picture, which may have any size.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    from: From,
    /// The picture
    #[arg(value_name = "PICTURE")]
    picture: PathBuf,
    /// What the face is to show: "hair=purple, glasses, -blush"
    #[arg(long, value_name = "WISHES", allow_hyphen_values = true)]
    set: String,
    /// Where the edited picture goes, a PNG [default: beside the picture, with "-edited.png" after its name]
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,
    /// Finds the face (lbpcascade_animeface.xml). Without it the face is taken to fill the picture
    #[arg(long, value_name = "XML")]
    cascade: Option<PathBuf>,
    /// Which face, the most certain one being 0, where there are several
    #[arg(long, value_name = "N", requires = "cascade")]
    face: Option<usize>,
    /// Side of what is cut out, in sides of the found face: as the faces were cut that the model was trained on
    #[arg(long, default_value_t = 1.5, requires = "cascade")]
    zoom: f64,
    /// What the face shows: "blonde hair, smile, blue eyes" [default: read by the built-in tagger]
    #[arg(long, value_name = "TAGS")]
    shows: Option<String>,
    /// How strongly labels that change are told, 1 as in training [default: the model's own]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    strength: Option<f64>,
    /// A PNG with the picture before and after, too
    #[arg(long, value_name = "PNG")]
    grid: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the model edits no attributes, the picture cannot be read or shows no face, or a wish cannot be understood.
pub fn run(args: Args) -> Result<()> {
    let device = tachie::device()?;
    match args.from.model()?.as_str() {
        "animegan" => edit::<Adversaries<OfAnimegan>>(&args, &device),
        "stgan" => edit::<Adversaries<OfStgan>>(&args, &device),
        "attgan" => edit::<Adversaries<OfAttgan>>(&args, &device),
        "stargan" => edit::<stargan::Adversaries>(&args, &device),
        "fadernet" => edit::<fadernet::Adversaries>(&args, &device),
        "icgan" => edit::<icgan::Adversaries>(&args, &device),
        other => {
            let expected = "animegan, stgan, attgan, stargan, fadernet or icgan";
            Err(Error::invalid("model", other, expected, "Others make pictures with `tachie translate`."))
        }
    }
}

fn edit<G: Editing>(args: &Args, device: &Device) -> Result<()> {
    let model: Model<G> = args.from.open(device)?;
    if is_jpeg(&args.picture) {
        eprintln!("warning: JPEG has lost details that the edit may enlarge; PNG edits better");
    }
    let picture = open_picture(&args.picture)?;
    let face = face_of(args, &picture)?;
    let shown = args.shows.as_ref().map(|shows| G::tags(model.config()).parse(shows)).transpose()?;
    let edited = model.edit_face(&picture, face, shown, &args.set, args.strength)?;
    println!("it shows: {}\nit is to show: {}", edited.shown, edited.asked);
    let out = args.out.clone().unwrap_or_else(|| beside(&args.picture));
    save(&edited.picture, &out)?;
    println!("written: {}", out.display());
    if let Some(path) = &args.grid {
        edited.beside(&picture)?.grid(2)?.save(path)?;
    }
    Ok(())
}

/// The square of the face that is to be edited.
fn face_of(args: &Args, picture: &RgbImage) -> Result<FaceSquare> {
    let Some(cascade) = &args.cascade else { return FaceSquare::of_picture(picture) };
    let faces = FaceSquare::find(&Cascade::open(cascade)?, picture, args.zoom)?;
    match (faces.len(), args.face) {
        (0, _) => {
            let hint = "Leave --cascade out if the face fills the picture.";
            Err(Error::file(&args.picture, "no face", "one at least", hint))
        }
        (2.., None) => {
            eprintln!("warning: {} faces; the most certain one is edited (--face 0)", faces.len());
            Ok(faces[0])
        }
        (found, number) => faces.get(number.unwrap_or(0)).copied().ok_or_else(|| {
            let expected = format!("a number below {found}");
            Error::invalid("--face", number.unwrap_or(0).to_string(), expected, "")
        }),
    }
}

/// Where a picture goes for which nobody has named a place.
fn beside(picture: &Path) -> PathBuf {
    let name = picture.file_stem().unwrap_or_default().to_string_lossy();
    picture.with_file_name(format!("{name}-edited.png"))
}

fn is_jpeg(path: &Path) -> bool {
    let extension = path.extension().map(|text| text.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| ["jpg", "jpeg"].contains(&extension.as_str()))
}

fn save(picture: &RgbImage, path: &Path) -> Result<()> {
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("png")) {
        return Err(Error::file(path, "another format", "a name that ends in .png", "PNG loses nothing."));
    }
    picture.save(path).map_err(|e| Error::file(path, e.to_string(), "a PNG that can be written", ""))
}
