//! One picture file to pixels of the wanted size, whatever the file holds.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::data::manifest::{Alpha, Background, Conversion, ImagePolicy, Resize, Side};
use crate::data::placement::Placement;
use crate::data::resize;

/// Longest side of a file that is decoded.
pub(super) const MAX_SIDE: u32 = 16_384;
/// Largest file, and largest decoded picture, in bytes.
const MAX_BYTES: u64 = 512 << 20;

/// A picture, and what had to be done to get it.
pub(super) struct Decoded {
    pub image: RgbImage,
    /// Width and height before it was resized, turned as the EXIF data say.
    pub original: (u32, u32),
    /// Kind and particulars of each conversion.
    pub notes: Vec<(&'static str, String)>,
}

/// What a file says of its picture before the pixels.
pub(crate) struct Header {
    pub format: ImageFormat,
    /// Width and height, turned as the EXIF data say.
    pub size: (u32, u32),
    pub colour: ColorType,
    /// Whether the EXIF data turn or mirror it.
    pub turned: bool,
}

/// Why there is no picture: kind and particulars.
#[derive(Debug)]
pub(crate) struct Refused(pub &'static str, pub String);

/// Decodes a file, turns it as its EXIF data say, lays it on the background and brings it to size.
pub(super) fn decode(path: &Path, policy: &ImagePolicy) -> Result<Decoded, Refused> {
    decode_part(path, policy, None)
}

/// As [`decode`], of one half of the picture (of an odd number of pixels the one in the middle is in neither).
pub(super) fn decode_part(path: &Path, policy: &ImagePolicy, half: Option<Side>) -> Result<Decoded, Refused> {
    let bytes = read(path)?;
    let mut notes = Vec::new();
    let (image, format, orientation) = pixels(&bytes)?;
    if let Some(extension) = foreign_extension(path, format) {
        notes.push(("wrong extension", format!("{} named .{extension}", name(format))));
    }
    if orientation != Orientation::NoTransforms {
        notes.push(("turned", format!("EXIF orientation {}", orientation.to_exif())));
    }
    if format == ImageFormat::Jpeg && jpeg_structure(&bytes).components == Some(4) {
        notes.push(("CMYK", String::new()));
    }
    let image = match half {
        None => image,
        Some(half) => {
            let [left, top, width, height] = half.of((image.width(), image.height()));
            image.crop_imm(left, top, width, height)
        }
    };
    let (width, height) = (image.width(), image.height());
    if width.min(height) < policy.min_side.max(1) {
        return Err(Refused("too small", format!("{width}×{height} pixels")));
    }
    let image = to_rgb(image, policy, &mut notes)?;
    let image = to_size(image, policy)?;
    Ok(Decoded { image, original: (width, height), notes })
}

/// Reads what comes before the pixels: whether they are whole, only decoding shows.
pub(crate) fn header(path: &Path) -> Result<Header, Refused> {
    let (file, _) = open(path)?;
    let (reader, format) = guessed(BufReader::new(file))?;
    let read = catch_unwind(AssertUnwindSafe(|| {
        let mut decoder = reader.into_decoder().map_err(refused)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let ((width, height), colour) = (decoder.dimensions(), decoder.color_type());
        let turned = orientation != Orientation::NoTransforms;
        // EXIF counts the four that exchange width and height from 5 on.
        let size = if orientation.to_exif() >= 5 { (height, width) } else { (width, height) };
        Ok(Header { format, size, colour, turned })
    }));
    read.unwrap_or_else(|_| Err(gave_up()))
}

/// Decodes a file in its own size, turned as its EXIF data say and laid on white.
pub(crate) fn original(path: &Path) -> Result<RgbImage, Refused> {
    let (image, ..) = pixels(&read(path)?)?;
    // The side of the policy is for resizing only, which does not happen here.
    to_rgb(image, &ImagePolicy::new(MAX_SIDE), &mut Vec::new())
}

/// Decodes a file in its own size and with its transparency, turned as its EXIF data say.
pub(crate) fn untouched(path: &Path) -> Result<DynamicImage, Refused> {
    Ok(pixels(&read(path)?)?.0)
}

fn open(path: &Path) -> Result<(File, u64), Refused> {
    let file = File::open(path).map_err(unreadable)?;
    match file.metadata().map_err(unreadable)?.len() {
        0 => Err(Refused("empty file", String::new())),
        length if length > MAX_BYTES => Err(Refused("too large", format!("{length} bytes"))),
        length => Ok((file, length)),
    }
}

fn unreadable(error: std::io::Error) -> Refused {
    Refused("cannot be read", error.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, Refused> {
    let (file, length) = open(path)?;
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn guessed<R: BufRead + Seek>(from: R) -> Result<(ImageReader<R>, ImageFormat), Refused> {
    let Ok(reader) = ImageReader::new(from).with_guessed_format() else {
        return Err(Refused("not a picture", String::new()));
    };
    match reader.format() {
        Some(format) => Ok((reader, format)),
        None => Err(Refused("not a picture", "no known beginning".into())),
    }
}

fn gave_up() -> Refused {
    Refused("truncated or damaged", "the decoder gave up".into())
}

fn pixels(bytes: &[u8]) -> Result<(DynamicImage, ImageFormat, Orientation), Refused> {
    let (mut reader, format) = guessed(Cursor::new(bytes))?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits.clone());
    // Decoders are third-party code on bytes from anywhere: a defect in one must cost one picture, not the session.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let mut decoder = reader.into_decoder().map_err(refused)?;
        let (width, height) = decoder.dimensions();
        if width.max(height) > MAX_SIDE || decoder.total_bytes() > MAX_BYTES {
            return Err(Refused("too large", format!("{width}×{height} pixels")));
        }
        if format == ImageFormat::Jpeg && !jpeg_structure(bytes).ends {
            return Err(Refused("truncated or damaged", "JPEG without its end".into()));
        }
        limits.reserve(decoder.total_bytes()).and_then(|()| decoder.set_limits(limits)).map_err(refused)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(refused)?;
        image.apply_orientation(orientation);
        Ok((image, format, orientation))
    }));
    decoded.unwrap_or_else(|_| Err(gave_up()))
}

fn refused(error: ImageError) -> Refused {
    match error {
        ImageError::Limits(error) => Refused("too large", error.to_string()),
        ImageError::Unsupported(error) => Refused("unsupported format", error.to_string()),
        error => Refused("truncated or damaged", error.to_string()),
    }
}

/// What the markers of a JPEG file say.
struct JpegStructure {
    /// Colour components of the frame: 1 grey, 3 colour, 4 CMYK.
    components: Option<u8>,
    /// Whether the end marker follows the picture. The decoder paints what is missing grey and says nothing.
    ends: bool,
}

fn jpeg_structure(bytes: &[u8]) -> JpegStructure {
    let mut structure = JpegStructure { components: None, ends: false };
    let mut at = 2;
    while let Some([0xff, marker]) = bytes.get(at..at + 2) {
        match marker {
            0xff => {
                at += 1;
                continue;
            }
            0xda => {
                structure.ends = bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
                break;
            }
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                structure.components = bytes.get(at + 9).copied();
            }
            _ => {}
        }
        let Some([high, low]) = bytes.get(at + 2..at + 4) else { break };
        at += 2 + usize::from(*high) * 256 + usize::from(*low);
    }
    structure
}

fn foreign_extension(path: &Path, format: ImageFormat) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_lowercase();
    let own = format.extensions_str().contains(&extension.as_str());
    (!own).then_some(extension)
}

fn name(format: ImageFormat) -> &'static str {
    format.extensions_str().first().copied().unwrap_or("picture")
}

fn to_rgb(
    image: DynamicImage,
    policy: &ImagePolicy,
    notes: &mut Vec<(&'static str, String)>,
) -> Result<RgbImage, Refused> {
    let colour = image.color();
    let mut convert = |is: bool, rule: Conversion, kind: &'static str| match (is, rule) {
        (true, Conversion::Refuse) => Err(Refused(kind, "refused by the manifest".into())),
        (true, Conversion::Convert) => {
            notes.push((kind, String::new()));
            Ok(())
        }
        (false, _) => Ok(()),
    };
    convert(!colour.has_color(), policy.grey, "grey")?;
    let deep = !matches!(colour, ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8);
    convert(deep, policy.deep, "16 bits per channel")?;
    if !colour.has_alpha() {
        return Ok(image.into_rgb8());
    }
    let image = image.into_rgba8();
    let transparent = image.pixels().any(|pixel| pixel.0[3] < 255);
    match (transparent, policy.alpha) {
        (true, Alpha::Refuse) => return Err(Refused("transparency", "refused by the manifest".into())),
        (true, Alpha::Composite) => {
            notes.push(("transparency", format!("laid on {}", String::from(policy.background))))
        }
        (false, _) => {}
    }
    Ok(RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [r, g, b, alpha] = image.get_pixel(x, y).0;
        image::Rgb(policy.background.below([r, g, b], alpha))
    }))
}

fn to_size(image: RgbImage, policy: &ImagePolicy) -> Result<RgbImage, Refused> {
    let (width, height, size) = (image.width(), image.height(), policy.size);
    if (width, height) == (size, size) {
        return Ok(image);
    }
    let Some(Placement { from, to }) = Placement::of(policy.resize, (width, height), (size, size)) else {
        return Err(Refused("another size", format!("{width}×{height} pixels")));
    };
    let [left, top, w, h] = from;
    let taken = image::imageops::crop_imm(&image, left, top, w, h).to_image();
    let [left, top, w, h] = to;
    let inner = resize::rgb(&taken, w, h, policy.filter);
    if (w, h) == (size, size) {
        return Ok(inner);
    }
    if policy.resize == Resize::Mirror {
        return Ok(resize::mirrored(&inner, (size, size), (left, top)));
    }
    let Background(background) = policy.background;
    let mut padded = RgbImage::from_pixel(size, size, image::Rgb(background));
    image::imageops::replace(&mut padded, &inner, i64::from(left), i64::from(top));
    Ok(padded)
}
