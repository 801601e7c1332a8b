//! Pictures that were taken apart, put together again.
//!
//! Some games cut their paintings into pieces and pack these tightly into a texture; a mesh says where each piece goes.
//! Programs that unpack games write it as a Wavefront OBJ file: `v` lines are corners in the picture (y upwards), `vt`
//! lines corners in the texture (0 to 1, v upwards), `f` lines triangles or quads of both.

use std::path::Path;

use image::{Rgba, RgbaImage};

use crate::{Error, Result};

/// Files beyond this are no mesh of a painting.
const MAX_BYTES: u64 = 64 << 20;
/// Longest side of a restored picture.
const MAX_SIDE: f64 = 16_384.0;
/// Most pixels of a restored picture.
const MAX_PIXELS: f64 = (1u64 << 27) as f64;
/// How often the rectangles around the triangles may cover the picture. Two for pieces that are rectangles.
const MAX_COVERS: f64 = 64.0;
/// How far a coordinate may be outside [0, 1] by rounding.
const SLACK: f64 = 1e-3;

/// A corner: where it is in the picture (y upwards, in pixels) and in the texture (v upwards, 0 to 1).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Corner {
    place: [f64; 2],
    texture: [f64; 2],
}

/// Where the pieces of a texture go. At least one triangle.
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    triangles: Vec<[Corner; 3]>,
    /// Left and top edge (y upwards), width and height of the picture.
    left: f64,
    top: f64,
    width: u32,
    height: u32,
}

impl Mesh {
    /// Reads an OBJ file.
    ///
    /// # Errors
    /// As [`Mesh::parse`], and when the file cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Mesh> {
        Mesh::named(path.as_ref(), path.as_ref())
    }

    /// Reads a file that messages call `name`.
    pub(super) fn named(path: &Path, name: &Path) -> Result<Mesh> {
        let io = |source| Error::io("read the mesh", path, source);
        let bytes = std::fs::metadata(path).map_err(io)?.len();
        if bytes > MAX_BYTES {
            return Err(refused(name, None, format!("{bytes} bytes"), format!("at most {MAX_BYTES} bytes")));
        }
        let text = std::fs::read(path).map_err(io)?;
        Mesh::parse(name, &String::from_utf8_lossy(&text))
    }

    /// Reads the text of an OBJ file; `name` stands for it in messages. Lines other than `v`, `vt` and `f` say nothing
    /// about pictures and are passed over. When no corner lies to the right of 0 the picture is mirrored: AssetStudio
    /// writes −x.
    ///
    /// # Errors
    /// A number that is none or not finite, a face of fewer than three corners or without texture coordinates or with ones
    /// outside of [0, 1], a reference to a corner that is not there, no face at all, a picture of less than one or more
    /// than 16,384 pixels a side, pieces that cover it over and over. The message names the line.
    pub fn parse(name: impl AsRef<Path>, text: &str) -> Result<Mesh> {
        let path = name.as_ref();
        let (mut places, mut textures, mut triangles) = (Vec::new(), Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            let mut words = line.split_ascii_whitespace();
            let wrong = |found: String, expected: &str| refused(path, Some(number), found, expected);
            match words.next() {
                Some("v") => places.push(numbers(words, 3).map_err(|found| wrong(found, "v x y z"))?),
                Some("vt") => {
                    let [u, v] = numbers(words, 2).map_err(|found| wrong(found, "vt u v"))?;
                    textures.push([u, v]);
                }
                Some("f") => {
                    let corner = |word| corner(word, &places, &textures);
                    let corners: Vec<Corner> =
                        words.map(corner).collect::<Result<_, _>>().map_err(|(found, wanted)| wrong(found, wanted))?;
                    if corners.len() < 3 {
                        return Err(wrong(format!("a face of {} corners", corners.len()), "three or more"));
                    }
                    // A polygon is a fan of triangles.
                    triangles.extend(corners[1..].windows(2).map(|pair| [corners[0], pair[0], pair[1]]));
                }
                _ => {}
            }
        }
        Mesh::of(path, triangles)
    }

    fn of(path: &Path, mut triangles: Vec<[Corner; 3]>) -> Result<Mesh> {
        let all = || triangles.iter().flatten();
        if triangles.is_empty() {
            return Err(refused(path, None, "no face (f)", "at least one"));
        }
        if all().all(|corner| corner.place[0] <= 0.0) {
            triangles.iter_mut().flatten().for_each(|corner| corner.place[0] = -corner.place[0]);
        }
        let edges = |axis: usize| {
            let ends =
                |(low, high): (f64, f64), corner: &Corner| (low.min(corner.place[axis]), high.max(corner.place[axis]));
            triangles.iter().flatten().fold((f64::INFINITY, f64::NEG_INFINITY), ends)
        };
        let ((left, right), (bottom, top)) = (edges(0), edges(1));
        let (width, height) = (right - left, top - bottom);
        // Corners are rounded numbers: a thousandth of a pixel is not a further column.
        let side = |length: f64| (length - SLACK).ceil();
        let sides = [width, height].into_iter().all(|length| side(length) >= 1.0 && length <= MAX_SIDE);
        if !sides || width * height > MAX_PIXELS {
            let found = format!("a picture of {width}×{height} pixels");
            return Err(refused(path, None, found, "1 to 16384 pixels a side, at most 134 million in all"));
        }
        let boxes: f64 = triangles.iter().map(|triangle| Affine::bounds(triangle).iter().product::<f64>()).sum();
        if boxes > MAX_COVERS * (width + 1.0) * (height + 1.0) {
            let found = format!("faces that cover the picture {:.0} times", boxes / (width * height));
            return Err(refused(path, None, found, "pieces beside each other"));
        }
        Ok(Mesh { triangles, left, top, width: side(width) as u32, height: side(height) as u32 })
    }

    /// Width and height of the restored picture: of the smallest rectangle around all corners.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Number of triangles; two make a rectangular piece.
    pub fn triangles(&self) -> usize {
        self.triangles.len()
    }

    /// Puts the pieces of `texture` in their places. A piece that is moved, turned by right angles or mirrored keeps its
    /// pixels as they are; others are resampled (bilinear). Where no piece goes nothing is to be seen.
    pub fn restore(&self, texture: &RgbaImage) -> RgbaImage {
        let mut picture = RgbaImage::new(self.width, self.height);
        if texture.is_empty() {
            return picture;
        }
        let (width, height) = (f64::from(texture.width()), f64::from(texture.height()));
        for triangle in &self.triangles {
            // y and v count upwards, rows of pixels downwards.
            let corners = triangle.map(|Corner { place: [x, y], texture: [u, v] }| {
                ([x - self.left, self.top - y], [u * width, (1.0 - v) * height])
            });
            if let Some(affine) = Affine::of(corners) {
                affine.draw(texture, &mut picture);
            }
        }
        picture
    }
}

fn refused(path: &Path, line: Option<usize>, found: impl Into<String>, expected: impl Into<String>) -> Error {
    let place = line.map_or(path.display().to_string(), |line| format!("{}:{line}", path.display()));
    Error::file(place, found, expected, "Use the mesh that belongs to the texture, or none.")
}

/// The first two of at least two numbers, at most `most` of which are read.
fn numbers<'a>(words: impl Iterator<Item = &'a str>, most: usize) -> Result<[f64; 2], String> {
    let parse = |word: &str| match word.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("{:?}", word.chars().take(40).collect::<String>())),
    };
    let numbers: Vec<f64> = words.take(most).map(parse).collect::<Result<_, _>>()?;
    match numbers[..] {
        [x, y, ..] => Ok([x, y]),
        _ => Err(format!("{} numbers", numbers.len())),
    }
}

/// A corner of a face, "3/4" or "3/4/5": numbers of a `v` and of a `vt` line, from 1; negative ones count from the end.
fn corner(word: &str, places: &[[f64; 2]], textures: &[[f64; 2]]) -> Result<Corner, (String, &'static str)> {
    let mut parts = word.split('/');
    let mut next = |list: &[[f64; 2]], wanted: &'static str| {
        let found = || format!("corner {:?}", word.chars().take(40).collect::<String>());
        let number: i64 = parts.next().and_then(|part| part.parse().ok()).ok_or_else(|| (found(), wanted))?;
        let index = if number < 0 { list.len() as i64 + number } else { number - 1 };
        let there = usize::try_from(index).ok().and_then(|index| list.get(index)).copied();
        there.ok_or_else(|| (format!("{} of {} lines", found(), list.len()), wanted))
    };
    let place = next(places, "the number of a v line above")?;
    let texture = next(textures, "the number of a v line, / and that of a vt line above")?;
    if texture.iter().any(|value| !(-SLACK..=1.0 + SLACK).contains(value)) {
        return Err((format!("texture coordinates {texture:?}"), "0 to 1"));
    }
    Ok(Corner { place, texture: texture.map(|value| value.clamp(0.0, 1.0)) })
}

/// A triangle with where its points are in the texture, in pixels, both downwards.
struct Affine {
    corners: [[f64; 2]; 3],
    /// Texture coordinates of the first corner, and their change by one pixel to the right and downwards.
    start: [f64; 2],
    right: [f64; 2],
    down: [f64; 2],
    /// The part of the texture that belongs to the triangle: ends of columns and of rows.
    columns: (f64, f64),
    rows: (f64, f64),
}

impl Affine {
    /// Width and height of the rectangle around a triangle, in pixels.
    fn bounds(triangle: &[Corner; 3]) -> [f64; 2] {
        [0, 1].map(|axis| {
            let values = triangle.map(|corner| corner.place[axis]);
            values.into_iter().fold(f64::NEG_INFINITY, f64::max) - values.into_iter().fold(f64::INFINITY, f64::min)
        })
    }

    /// None for a triangle without area.
    fn of(corners: [([f64; 2], [f64; 2]); 3]) -> Option<Affine> {
        let [(a, start), (b, tb), (c, tc)] = corners;
        let [ab, ac] = [[b[0] - a[0], b[1] - a[1]], [c[0] - a[0], c[1] - a[1]]];
        let area = ab[0] * ac[1] - ab[1] * ac[0];
        if area.abs() < 1e-9 {
            return None;
        }
        let slope = |axis: usize| {
            let (db, dc) = (tb[axis] - start[axis], tc[axis] - start[axis]);
            [(db * ac[1] - dc * ab[1]) / area, (dc * ab[0] - db * ac[0]) / area]
        };
        let (u, v) = (slope(0), slope(1));
        let ends = |axis: usize| {
            let values = [start[axis], tb[axis], tc[axis]];
            (values.into_iter().fold(f64::INFINITY, f64::min), values.into_iter().fold(f64::NEG_INFINITY, f64::max))
        };
        let (columns, rows) = (ends(0), ends(1));
        Some(Affine { corners: [a, b, c], start, right: [u[0], v[0]], down: [u[1], v[1]], columns, rows })
    }

    /// Whether one pixel is one texel: moved, turned by right angles, mirrored.
    fn is_rigid(&self) -> bool {
        let near = |value: f64, wanted: f64| (value.abs() - wanted).abs() < SLACK;
        let upright = near(self.right[0], 1.0) && near(self.right[1], 0.0);
        let turned = near(self.right[0], 0.0) && near(self.right[1], 1.0);
        (upright && near(self.down[0], 0.0) && near(self.down[1], 1.0))
            || (turned && near(self.down[0], 1.0) && near(self.down[1], 0.0))
    }

    fn draw(&self, texture: &RgbaImage, picture: &mut RgbaImage) {
        let range = |axis: usize, most: u32| {
            let values = self.corners.map(|corner| corner[axis]);
            let low = values.into_iter().fold(f64::INFINITY, f64::min);
            let high = values.into_iter().fold(f64::NEG_INFINITY, f64::max);
            (low - 0.5).floor().max(0.0) as u32..((high + 0.5).ceil().max(0.0) as u32).min(most)
        };
        let rigid = self.is_rigid();
        for y in range(1, picture.height()) {
            for x in range(0, picture.width()) {
                let centre = [f64::from(x) + 0.5, f64::from(y) + 0.5];
                if self.holds(centre) {
                    let [u, v] = self.at(centre);
                    let pixel =
                        if rigid { self.texel(texture, u.floor(), v.floor()) } else { self.blend(texture, u, v) };
                    picture.put_pixel(x, y, pixel);
                }
            }
        }
    }

    /// Whether a point is inside or on an edge.
    fn holds(&self, point: [f64; 2]) -> bool {
        let side = |a: [f64; 2], b: [f64; 2]| (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]);
        let [a, b, c] = self.corners;
        let sides = [side(a, b), side(b, c), side(c, a)];
        sides.iter().all(|side| *side >= -1e-9) || sides.iter().all(|side| *side <= 1e-9)
    }

    /// Texture coordinates of a point of the picture, in pixels.
    fn at(&self, point: [f64; 2]) -> [f64; 2] {
        let (dx, dy) = (point[0] - self.corners[0][0], point[1] - self.corners[0][1]);
        [0, 1].map(|axis| self.start[axis] + self.right[axis] * dx + self.down[axis] * dy)
    }

    /// The pixel of the texture, of those that belong to the triangle the nearest one.
    fn texel(&self, texture: &RgbaImage, column: f64, row: f64) -> Rgba<u8> {
        let within = |at: f64, (low, high): (f64, f64), most: u32| {
            let (first, last) = ((low + 0.5).floor(), (high - 0.5).floor().max((low + 0.5).floor()));
            (at.clamp(first, last).max(0.0) as u32).min(most - 1)
        };
        *texture.get_pixel(within(column, self.columns, texture.width()), within(row, self.rows, texture.height()))
    }

    fn blend(&self, texture: &RgbaImage, u: f64, v: f64) -> Rgba<u8> {
        let (column, row) = ((u - 0.5).floor(), (v - 0.5).floor());
        let (right, down) = (u - 0.5 - column, v - 0.5 - row);
        // Colours by their opacity: those of invisible pixels are nothing to be shown.
        let mut sum = [0f64; 4];
        for (step, share) in [(0.0, 1.0 - right), (1.0, right)] {
            for (below, part) in [(0.0, 1.0 - down), (1.0, down)] {
                let [r, g, b, alpha] = self.texel(texture, column + step, row + below).0.map(f64::from);
                let weight = share * part * alpha;
                sum.iter_mut().zip([r, g, b, 1.0]).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        let [r, g, b, alpha] = sum;
        let colour = |value: f64| if alpha > 0.0 { (value / alpha).round() as u8 } else { 0 };
        Rgba([colour(r), colour(g), colour(b), alpha.round() as u8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A quad as two triangles; `place` and `texture` are left, bottom, right, top.
    fn quad(place: [f64; 4], texture: [f64; 4], base: usize) -> String {
        let [l, b, r, t] = place;
        let [ul, vb, ur, vt] = texture;
        let corner = |i: usize| format!("{0}/{0}/{0}", base + i);
        format!(
            "v {l} {b} 0\nv {r} {b} 0\nv {r} {t} 0\nv {l} {t} 0\nvt {ul} {vb}\nvt {ur} {vb}\nvt {ur} {vt}\nvt {ul} {vt}\n\
             f {0} {1} {2}\nf {0} {2} {3}\n",
            corner(0),
            corner(1),
            corner(2),
            corner(3)
        )
    }

    fn noise(width: u32, height: u32) -> RgbaImage {
        RgbaImage::from_fn(width, height, |x, y| Rgba([(x * 37) as u8, (y * 53) as u8, (x * y) as u8, 255]))
    }

    #[test]
    fn a_scaled_piece_is_blended_within_its_rectangle() {
        // The left half of the texture is enlarged twice; nothing of the right half may come in.
        let texture = RgbaImage::from_fn(8, 4, |x, _| Rgba(if x < 4 { [100; 4] } else { [0, 0, 0, 255] }));
        let mesh = Mesh::parse("m.obj", &quad([0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 0.5, 1.0], 1)).unwrap();
        let restored = mesh.restore(&texture);
        assert_eq!(restored.dimensions(), (8, 8));
        assert!(restored.pixels().all(|pixel| pixel.0 == [100; 4]));
    }

    #[test]
    fn turned_and_mirrored_pieces_keep_their_pixels() {
        let texture = noise(6, 6);
        let turned = "v 0 0 0\nv 6 0 0\nv 6 6 0\nv 0 6 0\nvt 1 0\nvt 1 1\nvt 0 1\nvt 0 0\nf 1/1 2/2 3/3 4/4\n";
        let restored = Mesh::parse("m.obj", turned).unwrap().restore(&texture);
        // The picture's lower right corner shows the texture's upper right one.
        assert_eq!(restored.get_pixel(5, 5), texture.get_pixel(5, 0));
        assert_eq!(restored, image::imageops::rotate90(&texture));
        let mirrored = quad([-6.0, 0.0, 0.0, 6.0], [0.0, 0.0, 1.0, 1.0], 1);
        let restored = Mesh::parse("m.obj", &mirrored).unwrap().restore(&texture);
        assert_eq!(restored, image::imageops::flip_horizontal(&texture));
    }

    #[test]
    fn bad_meshes_are_refused_by_line() {
        let good = quad([0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 1.0, 1.0], 1);
        let cases = [
            ("v 0 0 0\nv x 0 0\n", "bad.obj:2: found \"x\", expected v x y z"),
            ("v 1\n", "bad.obj:1: found 1 numbers"),
            ("vt nan 0\n", "bad.obj:1: found \"nan\""),
            ("vt 1e999 0\n", "bad.obj:1"),
            ("# nothing\n", "bad.obj: found no face"),
            ("v 0 0 0\nvt 0 0\nf 1/1 1/1\n", "bad.obj:3: found a face of 2 corners"),
            ("v 0 0 0\nf 1 1 1\n", "bad.obj:2: found corner \"1\", expected the number of a v line, / and"),
            ("v 0 0 0\nvt 0 0\nf 1/1 2/1 1/1\n", "bad.obj:3: found corner \"2/1\" of 1 lines"),
            ("v 0 0 0\nvt 0 0\nf 0/1 1/1 1/1\n", "bad.obj:3"),
            ("v 0 0 0\nvt 0 1.5\nf 1/1 1/1 1/1\n", "bad.obj:3: found texture coordinates [0.0, 1.5], expected 0 to 1"),
            ("v 0 0 0\nvt 0 0\nf 1/1 1/1 1/1\n", "bad.obj: found a picture of 0×0 pixels"),
        ];
        for (text, words) in cases {
            let message = Mesh::parse("bad.obj", text).unwrap_err().to_string();
            assert!(message.contains(words), "{text:?}: {message}");
        }
        let large = quad([0.0, 0.0, 1e6, 4.0], [0.0, 0.0, 1.0, 1.0], 1);
        assert!(Mesh::parse("bad.obj", &large).unwrap_err().to_string().contains("1 to 16384"));
        let over = good.clone() + &"f 1/1 2/2 3/3\n".repeat(200);
        assert!(Mesh::parse("bad.obj", &over).unwrap_err().to_string().contains("cover the picture"));
        // Numbers from the end, other lines, a face without an end of line.
        let relative = "g piece\nv 0 0 0\nv 4 0 0\nv 4 4 0\nvt 0 0\nvt 1 0\nvt 1 1\nvn 0 0 1\nf -3/-3 -2/-2 -1/-1";
        assert_eq!(Mesh::parse("good.obj", relative).unwrap().size(), (4, 4));
        assert_eq!(Mesh::parse("good.obj", &good).unwrap().triangles(), 2);
    }
}
