//! A game's textures: against Pillow, NumPy, OpenCV and imagehash (fixtures/art/make.py), and folders of all kinds.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::Value;
use tachie::data::Dataset;
use tachie::data::manifest::{Background, Filter};
use tachie::data::prepare::art::mesh::Mesh;
use tachie::data::prepare::art::{ArtOptions, PROBLEMS, RECORDS, REPORT, Transparency, fit, game_art, texture};
use tachie::data::prepare::measure::{DHash, Limits};
use tachie::data::report::Action;
use tempfile::TempDir;

use super::{everything_below, tachie};

fn fixture(name: &str) -> DynamicImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/art").join(name);
    image::open(path).unwrap()
}

fn worst(a: &[u8], b: &[u8]) -> u8 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn opacity_becomes_what_numpy_makes_of_it() {
    let picture = fixture("rgba.png").into_rgba8();
    let white = Background::default();
    assert_eq!(texture::threshold(&picture, 80, white), fixture("threshold.png").into_rgb8());
    assert_eq!(texture::composite(&picture, white), fixture("composite-white.png").into_rgb8());
    assert_eq!(texture::composite(&picture, Background([10, 200, 60])), fixture("composite-green.png").into_rgb8());
    // The two files of the same texture.
    let opacity = texture::opacity(&fixture("alpha.png"), texture::Channel::Red).unwrap();
    assert_eq!(texture::join(&fixture("colour.png").into_rgb8(), &opacity), picture);
}

#[test]
fn opacity_of_another_size_is_brought_to_the_colours_as_pillow_does() {
    let colours = fixture("colour.png").into_rgb8();
    for name in ["small", "large", "odd"] {
        let opacity = fixture(&format!("alpha-{name}.png")).into_luma8();
        let joined = texture::join(&colours, &opacity);
        let found: Vec<u8> = joined.pixels().map(|pixel| pixel.0[3]).collect();
        let off = worst(&found, fixture(&format!("alpha-{name}-fitted.png")).into_luma8().as_raw());
        assert!(off <= 1, "{name}: off by {off}");
        assert!(joined.pixels().zip(colours.pixels()).all(|(a, b)| a.0[..3] == b.0));
    }
}

#[test]
fn areas_and_hashes_are_those_of_opencv_and_imagehash() {
    let colours = fixture("colour.png").into_rgb8();
    let square = fit::letterbox(&colours, 17, Background([1, 2, 3]), Filter::Box);
    let inner = image::imageops::crop_imm(&square, 0, 2, 17, 13).to_image();
    assert!(worst(&inner, &fixture("area.png").into_rgb8()) <= 1);
    assert_eq!((square.get_pixel(9, 1).0, square.get_pixel(9, 15).0), ([1, 2, 3], [1, 2, 3]));
    // make.py prints these; a grey value that is rounded the other way may turn a bit.
    let of = |name| DHash::of(&fixture(name).into_rgb8());
    let (colour, threshold, white) = (of("colour.png"), of("threshold.png"), of("composite-white.png"));
    for (found, wanted) in
        [(colour.distance(&threshold), 124), (colour.distance(&white), 137), (threshold.distance(&white), 51)]
    {
        assert!(found.abs_diff(wanted) <= 4, "{found} bits, {wanted} by imagehash");
    }
}

/// Colours without two equal pixels beside each other, drawn by a formula.
fn noise(width: u32, height: u32, seed: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let mut state = seed.wrapping_mul(747_796_405) ^ x.wrapping_mul(2_891_336_453) ^ y.wrapping_mul(277_803_737);
        state = (state ^ (state >> 15)).wrapping_mul(0x2c1b_3c6d);
        let [r, g, b, _] = (state ^ (state >> 12)).to_le_bytes();
        Rgba([r, g, b, if r < 40 { 0 } else { 255 }])
    })
}

/// Cuts a picture into squares and packs them into a texture in another order; the texture, and the mesh as AssetStudio
/// writes it (−x, two triangles per square).
fn scrambled(picture: &RgbaImage, piece: u32, columns: u32) -> (RgbaImage, String) {
    let (across, down) = (picture.width() / piece, picture.height() / piece);
    let count = across * down;
    let rows = count.div_ceil(columns);
    let mut texture = RgbaImage::from_pixel(columns * piece, rows * piece, Rgba([255, 0, 255, 255]));
    let (mut vertices, mut coordinates, mut faces) = (String::new(), String::new(), String::new());
    for k in 0..count {
        let place = (k * 5 + 3) % count;
        let [from, to] = [(k % across, k / across), (place % columns, place / columns)];
        let cut = image::imageops::crop_imm(picture, from.0 * piece, from.1 * piece, piece, piece).to_image();
        image::imageops::replace(&mut texture, &cut, i64::from(to.0 * piece), i64::from(to.1 * piece));
        for (right, up) in [(0, 0), (0, 1), (1, 1), (1, 0)] {
            let x = (from.0 + right) * piece;
            let y = picture.height() - (from.1 + 1 - up) * piece;
            vertices += &format!("v -{x} {y} 0\n");
            let u = f64::from((to.0 + right) * piece) / f64::from(columns * piece);
            let v = 1.0 - f64::from((to.1 + 1 - up) * piece) / f64::from(rows * piece);
            coordinates += &format!("vt {u:.7} {v:.7}\n");
        }
        let corner = |i: u32| format!("{0}/{0}/{0}", 4 * k + i);
        let [a, b, c, d] = [1, 2, 3, 4].map(corner);
        faces += &format!("f {c} {b} {a}\nf {d} {c} {a}\n");
    }
    (texture, format!("g painting-mesh\r\n{vertices}{coordinates}g painting-mesh_0\r\n{faces}"))
}

#[test]
fn a_scrambled_painting_is_restored_exactly() {
    // 11 pieces in a row do not divide 1: coordinates are rounded numbers.
    for (width, height, piece, columns) in [(96, 64, 32, 4), (110, 70, 10, 11), (64, 192, 16, 7)] {
        let picture = noise(width, height, width);
        let (texture, obj) = scrambled(&picture, piece, columns);
        let mesh = Mesh::parse("painting-mesh.obj", &obj).unwrap();
        assert_eq!((mesh.size(), mesh.triangles() as u32), ((width, height), 2 * width * height / piece / piece));
        assert!(mesh.restore(&texture) == picture, "{width}×{height} in {piece}");
    }
}

/// A figure: an ellipse of noise that fills this share of a picture, nothing around it.
fn figure(width: u32, height: u32, share: f64, seed: u32) -> RgbaImage {
    let colours = noise(width, height, seed);
    RgbaImage::from_fn(width, height, |x, y| {
        let part = |at: u32, length: u32| (2.0 * (f64::from(at) + 0.5) / f64::from(length) - 1.0) / share;
        let [r, g, b, _] = colours.get_pixel(x / 4 * 4, y / 4 * 4).0;
        let inside = part(x, width).powi(2) + part(y, height).powi(2) < 1.0;
        if inside { Rgba([r, g, b, 255]) } else { Rgba([0; 4]) }
    })
}

fn halves(picture: &RgbaImage) -> (RgbImage, GrayImage) {
    let colours = RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, _] = picture.get_pixel(x, y).0;
        Rgb([r, g, b])
    });
    (colours, GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([picture.get_pixel(x, y).0[3]])))
}

fn save(folder: &Path, name: &str, picture: impl Into<DynamicImage>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.into().save(path).unwrap();
}

/// Textures of all kinds, good and bad.
fn textures(folder: &Path) {
    let (colours, opacity) = halves(&figure(120, 240, 0.8, 1));
    save(folder, "pair.png", colours.clone());
    save(folder, "Pair[Alpha].png", opacity.clone());
    save(folder, "rgb/small.png", halves(&figure(160, 160, 0.9, 2)).0);
    save(
        folder,
        "alpha/small.png",
        image::imageops::resize(&opacity_of(2), 80, 80, image::imageops::FilterType::Nearest),
    );
    save(folder, "whole.webp", figure(100, 200, 0.7, 3));
    save(folder, "opaque.png", halves(&noise(90, 90, 4)).0);
    let painting = figure(128, 192, 0.95, 5);
    let (texture, obj) = scrambled(&painting, 16, 8);
    let (colours_of_texture, opacity_of_texture) = halves(&texture);
    save(folder, "painting.png", colours_of_texture);
    save(folder, "painting_alpha.png", opacity_of_texture);
    fs::write(folder.join("painting-mesh.obj"), obj).unwrap();
    // Everything below is rejected.
    save(folder, "bad/tiny.png", figure(50, 50, 0.9, 6));
    save(folder, "bad/long.png", figure(1000, 90, 0.95, 7));
    save(folder, "bad/blank.png", specks(300, 300));
    save(folder, "bad/nothing.png", RgbaImage::from_pixel(90, 90, Rgba([9, 9, 9, 7])));
    save(folder, "bad/alone_alpha.png", opacity.clone());
    save(folder, "bad/two.png", colours.clone());
    save(folder, "bad/two_alpha.png", opacity.clone());
    save(folder, "bad/two[alpha].png", opacity.clone());
    save(folder, "bad/shape.png", colours.clone());
    save(folder, "bad/shape_alpha.png", GrayImage::new(240, 120));
    save(folder, "bad/anna.png", colours.clone());
    save(folder, "bad/anna_a.png", halves(&noise(120, 240, 8)).0);
    save(folder, "bad/mesh.png", colours.clone());
    fs::write(folder.join("bad/mesh.obj"), "v 0 0 0\nvt 0 0\nf 1/1 1/1 9/9\n").unwrap();
    save(folder, "bad/cut.png", colours.clone());
    let cut = fs::read(folder.join("bad/cut.png")).unwrap();
    fs::write(folder.join("bad/cut.png"), &cut[..cut.len() / 2]).unwrap();
    save(folder, "bad/half.png", colours);
    fs::write(folder.join("bad/half_alpha.png"), b"no picture").unwrap();
    fs::write(folder.join("bad/empty.png"), b"").unwrap();
    save(folder, "pair.jpg.png", figure(90, 90, 0.9, 9));
    save(folder, "whole.png", figure(90, 90, 0.9, 10));
}

fn opacity_of(seed: u32) -> GrayImage {
    halves(&figure(160, 160, 0.9, seed)).1
}

/// Visible corners and nothing between them.
fn specks(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        Rgba([200, 10, 10, if (x < 4 && y < 4) || (x + 4 >= width && y + 4 >= height) { 255 } else { 0 }])
    })
}

fn options() -> ArtOptions {
    ArtOptions { size: Some(64), ..ArtOptions::default() }
}

/// A folder of textures, and one for pictures.
fn place() -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir_all(&input).unwrap();
    (folder, input, output)
}

#[test]
fn a_folder_of_textures_becomes_a_data_set_and_every_other_file_a_line_of_the_report() {
    let (_folder, input, output) = place();
    textures(&input);
    let before = everything_below(&input);
    let report = game_art(&input, &output, &options()).unwrap();
    assert_eq!((report.written, report.kept, report.problems.used), (6, 0, 6), "{report}");
    assert!(everything_below(&input) == before, "the textures were touched");

    let reasons = [
        ("bad/tiny.png", "too small", ""),
        ("bad/long.png", "too long", "to 1, more than 4"),
        ("bad/blank.png", "mostly blank", "100.0 % blank"),
        ("bad/nothing.png", "nothing visible", "opacity of 8"),
        ("bad/alone_alpha.png", "opacity without colours", ""),
        ("bad/two.png", "ambiguous pair", "bad/two[alpha].png, bad/two_alpha.png"),
        ("bad/two_alpha.png", "ambiguous pair", "bad/two.png"),
        ("bad/two[alpha].png", "ambiguous pair", "bad/two.png"),
        ("bad/shape_alpha.png", "opacity of another shape", "240×120 pixels for 120×240"),
        ("bad/shape.png", "belongs to a rejected file", "bad/shape_alpha.png"),
        ("bad/anna_a.png", "ambiguous pair", "has colours"),
        ("bad/anna.png", "belongs to a rejected file", "bad/anna_a.png"),
        ("bad/mesh.obj", "bad mesh", "bad/mesh.obj:3: found corner \"9/9\""),
        ("bad/mesh.png", "belongs to a rejected file", "bad mesh"),
        ("bad/cut.png", "truncated or damaged", ""),
        ("bad/half_alpha.png", "not a picture", ""),
        ("bad/half.png", "belongs to a rejected file", "bad/half_alpha.png: not a picture"),
        ("bad/empty.png", "empty file", ""),
        ("whole.webp", "name is taken", "whole.png"),
    ];
    for (file, kind, detail) in reasons {
        let problems = report.problems.of(file);
        let found = problems.iter().find(|problem| problem.kind == kind && problem.action == Action::LeftOut);
        let found = found.unwrap_or_else(|| panic!("{file}: {kind} is missing in {problems:?}"));
        assert!(found.detail.contains(detail), "{file}: {}", found.detail);
        assert!(!found.detail.contains(&*input.to_string_lossy()), "a path of this machine: {}", found.detail);
    }
    assert_eq!(report.problems.left_out(), reasons.len(), "{report}");
    let notes =
        [("rgb/small.png", "opacity of another size"), ("opaque.png", "no opacity"), ("painting.png", "put together")];
    for (file, kind) in notes {
        assert!(report.problems.of(file).iter().any(|problem| problem.kind == kind), "{file}: {report}");
    }
    // Every file is in the data set, or part of one that is, or has its reason.
    let json: Value = serde_json::from_slice(&fs::read(output.join(REPORT)).unwrap()).unwrap();
    assert_eq!((json["pictures"].as_u64(), json["files"].as_u64()), (Some(6), Some(report.files as u64)));
    assert_eq!(json["problems"].as_array().unwrap().len(), report.problems.problems.len());
    let table = fs::read_to_string(output.join(PROBLEMS)).unwrap();
    assert!(reasons.iter().all(|(file, kind, _)| table.contains(&format!("{file},{kind}"))), "{table}");

    let dataset = Dataset::open(report.manifest.unwrap()).unwrap();
    assert!(dataset.report().is_clean(), "{}", dataset.report());
    let keys: Vec<String> = (0..dataset.len()).map(|i| dataset.key(i).unwrap()).collect();
    assert_eq!(keys, ["opaque.png", "painting.png", "pair.jpg.png", "pair.png", "rgb/small.png", "whole.png"]);
    assert_eq!(dataset.image(0).unwrap().dimensions(), (64, 64));
}

#[test]
fn pictures_are_trimmed_letterboxed_and_white_where_nothing_is() {
    let (_folder, input, output) = place();
    let whole = figure(120, 240, 0.8, 1);
    let (colours, opacity) = halves(&whole);
    save(&input, "a.png", colours.clone());
    save(&input, "a_alpha.png", opacity);
    save(&input, "b.png", whole.clone());
    game_art(&input, &output, &ArtOptions { near: 0, ..options() }).unwrap();
    let picture = image::open(output.join("images/a.png")).unwrap();
    assert_eq!(picture.color(), image::ColorType::Rgb8);
    let picture = picture.into_rgb8();
    // One file or two: the same picture.
    assert_eq!(picture, image::open(output.join("images/b.png")).unwrap().into_rgb8());
    // 96×192 visible pixels: 32×64 in the middle.
    for (x, blank) in [(0, true), (15, true), (16, false), (47, false), (48, true)] {
        let column = (0..64).all(|y| picture.get_pixel(x, y).0 == [255; 3]);
        assert_eq!(column, blank, "column {x}");
    }
    let cut = fit::cut(&whole, fit::visible_box(&whole, 8, 0).unwrap());
    let flat = texture::composite(&cut, Background::default());
    assert_eq!(picture, fit::letterbox(&flat, 64, Background::default(), Filter::Lanczos));
    let records = fs::read_to_string(output.join(RECORDS)).unwrap();
    assert!(records.contains("\"width\":96,\"height\":192"), "{records}");
}

#[test]
fn the_rule_of_the_report_is_its_script() {
    let (_folder, input, output) = place();
    save(&input, "x.png", fixture("colour.png"));
    save(&input, "x_alpha.png", fixture("alpha.png"));
    save(&input, "y.png", fixture("rgba.png"));
    let options = ArtOptions { limits: Limits { min_side: 1, ..Limits::default() }, ..ArtOptions::faithful() };
    game_art(&input, &output, &options).unwrap();
    for name in ["x.png", "y.png"] {
        let found = image::open(output.join("images").join(name)).unwrap().into_rgb8();
        assert_eq!(found, fixture("threshold.png").into_rgb8(), "{name}");
    }
    assert_eq!(Dataset::open(&output).unwrap().len(), 2);
}

#[test]
fn a_pyramid_is_a_data_set_at_every_size() {
    for keep in [false, true] {
        let (_folder, input, output) = place();
        save(&input, "deep/a.png", figure(200, 300, 0.9, 11));
        let transparency = if keep { Transparency::Keep } else { Transparency::Composite };
        let options = ArtOptions { size: Some(32), pyramid: true, transparency, ..options() };
        game_art(&input, &output, &options).unwrap();
        for side in [32u32, 16, 8, 4] {
            let picture = image::open(output.join(side.to_string()).join("deep/a.png")).unwrap();
            let colour = if keep { image::ColorType::Rgba8 } else { image::ColorType::Rgb8 };
            assert_eq!((picture.width(), picture.height(), picture.color()), (side, side, colour));
            let name = if side == 32 { "dataset.toml".into() } else { format!("dataset-{side}.toml") };
            let dataset = Dataset::open(output.join(name)).unwrap();
            assert_eq!((dataset.len(), dataset.image(0).unwrap().width()), (1, side));
        }
        assert!(!output.join("2").exists() && !output.join("images").exists());
        if keep {
            let picture = image::open(output.join("32/deep/a.png")).unwrap().into_rgba8();
            assert_eq!(picture.get_pixel(0, 0).0[3], 0);
            assert_ne!(picture.get_pixel(0, 0).0[..3], [0; 3], "the colours of the edge bleed outwards");
        }
    }
}

#[test]
fn near_duplicates_are_reported_or_left_out() {
    let picture = figure(120, 160, 0.9, 12);
    let copy = DynamicImage::from(picture.clone()).resize_exact(240, 320, image::imageops::FilterType::Triangle);
    for drop_near in [false, true] {
        let (_folder, input, output) = place();
        save(&input, "a.png", picture.clone());
        save(&input, "b.png", copy.clone());
        save(&input, "c.png", figure(120, 160, 0.9, 13));
        let report = game_art(&input, &output, &ArtOptions { near: 30, drop_near, ..options() }).unwrap();
        let problems = &report.problems.problems;
        let near: Vec<_> = problems.iter().filter(|problem| problem.kind == "near-duplicate").collect();
        assert_eq!((near.len(), near[0].file.as_str()), (1, "b.png"), "{report}");
        assert!(near[0].detail.contains("a.png"), "{}", near[0].detail);
        assert_eq!(report.problems.used, if drop_near { 2 } else { 3 });
        assert_eq!(output.join("images/b.png").exists(), !drop_near);
    }
}

#[test]
fn an_interrupted_run_is_completed_and_changed_textures_are_made_again() {
    let (folder, input, output) = place();
    textures(&input);
    let options = ArtOptions { enlarge: false, ..options() };
    game_art(&input, &output, &options).unwrap();
    let whole = everything_below(&output);
    // As if the run had been killed: two lines of records are whole, one is torn, and a picture was not written.
    let records = fs::read_to_string(output.join(RECORDS)).unwrap();
    let kept: usize = records.split_inclusive('\n').take(2).map(str::len).sum();
    fs::write(output.join(RECORDS), &records[..kept + 20]).unwrap();
    for file in ["dataset.toml", REPORT, PROBLEMS, "images/whole.png", "images/pair.png"] {
        fs::remove_file(output.join(file)).unwrap();
    }
    let report = game_art(&input, &output, &options).unwrap();
    assert_eq!(report.problems.used, 6);
    for (path, bytes) in &whole {
        assert!(fs::read(path).unwrap() == *bytes, "{} differs", path.display());
    }
    let again = game_art(&input, &output, &options).unwrap();
    assert_eq!((again.written, again.kept), (0, 6), "{again}");
    assert_eq!(again.problems, report.problems);

    // A texture that is bad now loses its picture, a better one gets another.
    save(&input, "whole.png", figure(40, 40, 0.9, 10));
    save(&input, "pair.jpg.png", figure(150, 150, 0.9, 14));
    let third = game_art(&input, &output, &options).unwrap();
    assert_eq!((third.written, third.problems.used), (1, 5), "{third}");
    assert!(!output.join("images/whole.png").exists());
    assert_eq!(third.problems.of("whole.png")[0].kind, "too small");

    let other = ArtOptions { margin: 3, ..options.clone() };
    let refused = game_art(&input, &output, &other).unwrap_err().to_string();
    assert!(refused.contains("other settings") && refused.contains("Nothing is overwritten"), "{refused}");
    assert!(game_art(&input, &input, &options).unwrap_err().to_string().contains("another one"));
    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine.txt"), b"mine").unwrap();
    assert!(game_art(&input, &full, &options).unwrap_err().to_string().contains("not empty"));
}

#[test]
fn options_that_cannot_be_are_refused() {
    let (_folder, input, output) = place();
    let wrong = [
        (ArtOptions { size: Some(2), ..options() }, "size"),
        (ArtOptions { size: Some(96), pyramid: true, ..options() }, "a power of two"),
        (ArtOptions { size: None, pyramid: true, ..options() }, "pyramid"),
        (ArtOptions { visible: 0, ..options() }, "visible"),
        (ArtOptions { limits: Limits { max_blank: f64::NAN, ..Limits::default() }, ..options() }, "limits"),
        (ArtOptions { meshes: Some("absent".into()), ..options() }, "absent"),
    ];
    for (options, words) in wrong {
        let message = game_art(&input, &output, &options).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    // Without a usable texture there is no data set.
    let (_folder, input, output) = place();
    save(&input, "tiny.png", figure(20, 20, 0.9, 1));
    let report = game_art(&input, &output, &ArtOptions { enlarge: false, ..options() }).unwrap();
    assert!(report.manifest.is_none() && report.problems.of("tiny.png")[0].kind == "too small", "{report}");
    let small = ArtOptions { limits: Limits { min_side: 1, ..Limits::default() }, enlarge: false, ..options() };
    let (_folder, input, output) = place();
    save(&input, "tiny.png", figure(20, 20, 0.9, 1));
    assert_eq!(game_art(&input, &output, &small).unwrap().problems.of("tiny.png")[0].kind, "smaller than the size");
}

#[test]
fn game_art_as_somebody_types_it() {
    let (_folder, input, output) = place();
    textures(&input);
    let meshes = input.join("../meshes");
    fs::create_dir(&meshes).unwrap();
    fs::rename(input.join("painting-mesh.obj"), meshes.join("painting.obj")).unwrap();
    let paths = [&input, &output, &meshes].map(|path| path.to_str().unwrap());
    let run = |more: &[&str]| {
        let arguments = ["data", "game-art", "--in", paths[0], "--out", paths[1], "--mesh-dir", paths[2]];
        let output = tachie(&[&arguments[..], more].concat());
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let flags = ["--size", "32", "--pyramid", "--background", "0,0,255", "--filter", "box", "--licence", "mine"];
    let (done, text) = run(&flags);
    assert!(done && text.contains("6 pictures made of") && text.contains("bad mesh: 1, left out"), "{text}");
    assert!(text.contains("put together: 1, converted\n    painting.png: 192 triangles"), "{text}");
    let picture = image::open(output.join("32/pair.png")).unwrap().into_rgb8();
    assert_eq!(picture.get_pixel(0, 0).0, [0, 0, 255]);
    assert!(fs::read_to_string(output.join("dataset.toml")).unwrap().contains("licence = \"mine\""));
    let (done, text) = run(&flags);
    assert!(done && text.contains("0 pictures made of") && text.contains("6 were there"), "{text}");
    for (more, words) in [
        (&["--background", "1,2"][..], "three numbers"),
        (&["--keep-alpha", "--mode", "threshold"], "cannot be used with"),
        (&["--alpha-channel", "x"], "possible values: r, g, b, a"),
        (&["--size", "48", "--pyramid"], "a power of two"),
    ] {
        let (done, text) = run(more);
        assert!(!done && text.contains(words), "{text}");
    }
}
