//! One texture to one picture, or the reason why not.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage, GrayImage, ImageFormat, RgbaImage};
use serde::{Deserialize, Serialize};

use super::fit::{self, Rectangle};
use super::mesh::Mesh;
use super::pairing::Texture;
use super::texture::{self, Channel};
use super::{ArtOptions, SMALLEST, Transparency};
use crate::data::import::{Refused, untouched};
use crate::data::prepare::measure::{self, DHash};
use crate::data::report::Action;
use crate::nn::progressive::pyramid::pyramid;
use crate::{Error, Result};

/// How far the proportions of opacity and colours may differ: a pixel in fifty.
const SHAPE: f64 = 0.02;

/// The mesh of a texture.
pub(super) struct MeshFile {
    /// For messages.
    pub name: String,
    pub path: PathBuf,
}

/// A note on a picture that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub kind: String,
    pub detail: String,
    pub action: Action,
}

/// What is known of a picture that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Width and height of the texture, after its pieces were put together.
    pub size: (u32, u32),
    pub visible: Rectangle,
    pub blank: f64,
    pub hash: DHash,
    pub notes: Vec<Note>,
}

/// Why a texture became no picture: the file at fault, kind and particulars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rejected {
    pub file: String,
    pub kind: String,
    pub detail: String,
}

/// A picture: the PNG file for each folder, the largest first.
pub(super) struct Made {
    pub files: Vec<Vec<u8>>,
    pub facts: Facts,
}

/// Makes the picture of a texture below `root`.
///
/// # Errors
/// When a picture cannot be encoded. What is wrong with the files of the texture is no error.
pub(super) fn make(
    root: &Path,
    texture: &Texture,
    mesh: Option<&MeshFile>,
    options: &ArtOptions,
) -> Result<Result<Made, Rejected>> {
    let mut notes = Vec::new();
    let joined = match load(root, texture, mesh, options, &mut notes) {
        Ok(joined) => joined,
        Err(rejected) => return Ok(Err(rejected)),
    };
    let refuse = |kind: &str, detail: String| Rejected { file: texture.colour.clone(), kind: kind.into(), detail };
    let (size, seen) = (joined.dimensions(), options.seen());
    let Some(visible) = fit::visible_box(&joined, seen, options.margin) else {
        return Ok(Err(refuse("nothing visible", format!("no pixel of an opacity of {seen} or more"))));
    };
    let cut = fit::cut(&joined, visible);
    let shown = texture::composite(&cut, options.background);
    let transparent = joined.pixels().any(|pixel| pixel.0[3] < seen);
    let blank = if transparent { fit::hidden_share(&joined, visible, seen) } else { measure::blank_share(&shown) };
    let broken = options.limits.broken((visible.width, visible.height), blank);
    if let Some((kind, _)) = broken.first() {
        let details: Vec<&str> = broken.iter().map(|(_, detail)| detail.as_str()).collect();
        return Ok(Err(refuse(kind, details.join("; "))));
    }
    let longer = visible.width.max(visible.height);
    match options.size {
        Some(size) if longer < size && !options.enlarge => {
            return Ok(Err(refuse("smaller than the size", format!("{longer} pixels, {size} wanted"))));
        }
        Some(size) if longer < size => notes.push(note("enlarged", format!("{longer} to {size} pixels"))),
        _ => {}
    }
    let picture = finish(joined, &cut, options);
    let hash = DHash::of(&texture::composite(&picture.to_rgba8(), options.background));
    let levels = if options.pyramid { levels(picture)? } else { vec![picture] };
    let files = levels.iter().map(|level| png(level, &texture.colour)).collect::<Result<_>>()?;
    Ok(Ok(Made { files, facts: Facts { size, visible, blank, hash, notes } }))
}

/// Reads the files of a texture and makes one picture with opacity of them.
fn load(
    root: &Path,
    texture: &Texture,
    mesh: Option<&MeshFile>,
    options: &ArtOptions,
    notes: &mut Vec<Note>,
) -> Result<RgbaImage, Rejected> {
    let read = |file: &str| {
        let refused = |Refused(kind, detail)| Rejected { file: file.into(), kind: kind.into(), detail };
        untouched(&root.join(file)).map_err(refused)
    };
    let colours = read(&texture.colour)?;
    if !matches!(colours.color(), ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8) {
        notes.push(note("16 bits per channel", "rounded to 8".into()));
    }
    let transparent = colours.color().has_alpha() && colours.to_rgba8().pixels().any(|pixel| pixel.0[3] < 255);
    let mut joined = match &texture.alpha {
        Some(file) => {
            let opacity = opacity(texture.doubtful, file, &read(file)?, &colours, options.channel, notes)?;
            if transparent {
                notes.push(note("two opacities", format!("that of {file} is used")));
            }
            let mut joined = texture::join(&colours.to_rgb8(), &opacity);
            // The report's rule keeps all colours as they are.
            if !matches!(options.transparency, Transparency::Threshold(_)) {
                texture::bleed_under(&mut joined, &opacity);
            }
            joined
        }
        None if transparent => colours.into_rgba8(),
        None => {
            let detail = "no second file, nothing transparent".to_string();
            notes.push(Note { kind: "no opacity".into(), detail, action: Action::Kept });
            colours.into_rgba8()
        }
    };
    if let Some(mesh) = mesh {
        joined = restored(&joined, mesh, notes)?;
    } else if options.meshes.is_some() {
        notes.push(Note { kind: "no mesh".into(), detail: String::new(), action: Action::Kept });
    }
    Ok(joined)
}

/// The opacity of the second file, checked.
fn opacity(
    doubtful: bool,
    file: &str,
    picture: &DynamicImage,
    colours: &DynamicImage,
    channel: Channel,
    notes: &mut Vec<Note>,
) -> Result<GrayImage, Rejected> {
    let refuse = |kind: &str, detail: String| Rejected { file: file.into(), kind: kind.into(), detail };
    if doubtful && channel != Channel::Alpha && texture::is_coloured(picture) {
        return Err(refuse("ambiguous pair", "named like an opacity texture, but has colours".into()));
    }
    let Some(opacity) = texture::opacity(picture, channel) else {
        return Err(refuse("no such channel", "the opacity texture has no transparency of its own".into()));
    };
    let sizes = [(opacity.width(), opacity.height()), (colours.width(), colours.height())];
    let [shape, wanted] = sizes.map(|(width, height)| f64::from(width) / f64::from(height.max(1)));
    let [(w, h), (width, height)] = sizes;
    if (shape / wanted - 1.0).abs() > SHAPE {
        return Err(refuse("opacity of another shape", format!("{w}×{h} pixels for {width}×{height}")));
    }
    if (w, h) != (width, height) {
        notes.push(note("opacity of another size", format!("{w}×{h} pixels, brought to {width}×{height}")));
    }
    Ok(opacity)
}

fn restored(texture: &RgbaImage, file: &MeshFile, notes: &mut Vec<Note>) -> Result<RgbaImage, Rejected> {
    let refuse = |detail: String| Rejected { file: file.name.clone(), kind: "bad mesh".into(), detail };
    let mesh = Mesh::named(&file.path, Path::new(&file.name)).map_err(|error| refuse(error.to_string()))?;
    let ((w, h), (width, height)) = (texture.dimensions(), mesh.size());
    notes.push(note("put together", format!("{} triangles, {w}×{h} to {width}×{height} pixels", mesh.triangles())));
    Ok(mesh.restore(texture))
}

/// The picture as it is stored: `cut` is what can be seen of `whole`.
fn finish(mut whole: RgbaImage, cut: &RgbaImage, options: &ArtOptions) -> DynamicImage {
    let ArtOptions { background, filter, .. } = *options;
    let flat = |picture: &RgbaImage| match options.transparency {
        Transparency::Threshold(limit) => texture::threshold(picture, limit, background),
        _ => texture::composite(picture, background),
    };
    match (options.size, options.transparency) {
        (Some(size), Transparency::Keep) => fit::letterbox_rgba(cut, size, filter).into(),
        (Some(size), _) => fit::letterbox(&flat(cut), size, background, filter).into(),
        (None, Transparency::Keep) => {
            texture::bleed(&mut whole);
            whole.into()
        }
        (None, _) => flat(&whole).into(),
    }
}

fn levels(picture: DynamicImage) -> Result<Vec<DynamicImage>> {
    match picture {
        DynamicImage::ImageRgba8(picture) => {
            Ok(fit::pyramid_rgba(&picture, SMALLEST)?.into_iter().map(Into::into).collect())
        }
        other => Ok(pyramid(&other.into_rgb8(), SMALLEST)?.into_iter().map(Into::into).collect()),
    }
}

fn note(kind: &str, detail: String) -> Note {
    Note { kind: kind.into(), detail, action: Action::Converted }
}

fn png(picture: &DynamicImage, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let wrong = |error: image::ImageError| Error::invalid(name, error.to_string(), "a picture to encode as PNG", "");
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(wrong)?;
    Ok(bytes.into_inner())
}
