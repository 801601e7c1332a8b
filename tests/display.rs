//! What cells show and what figures save.

use std::path::{Path, PathBuf};

use base64::Engine;
use candle_core::{Device, Tensor};
use image::RgbImage;
use tachie::data::batch::Images;
use tachie::rng::Seed;
use tachie::show::bundle::{Bundle, LIMIT, Show};
use tachie::show::embed::Scatter;
use tachie::show::grid::Grid;
use tachie::show::plot::{LossPlot, Plot, Series};
use tachie::show::table::{Best, Table};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder)
}

/// The pictures of fixtures/make_grid/make_grid.py.
fn formula(shape: &[usize]) -> Tensor {
    let mut full = vec![1; 4 - shape.len()];
    full.extend(shape);
    let mut values = Vec::new();
    for n in 0..full[0] {
        for c in 0..full[1] {
            for y in 0..full[2] {
                for x in 0..full[3] {
                    values.push(((37 * n + 101 * c + 17 * y + 29 * x) % 97) as f32 / 40.0 - 1.0);
                }
            }
        }
    }
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

#[test]
fn grids_are_those_of_torchvision() {
    let folder = fixtures("make_grid");
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let mut grid = Grid::from_tensor(&formula(&shape)).unwrap().scale(1);
        for (argument, value) in case["arguments"].as_object().unwrap() {
            let float = |value: &serde_json::Value| value.as_f64().unwrap() as f32;
            grid = match argument.as_str() {
                "nrow" => grid.nrow(value.as_u64().unwrap() as usize),
                "padding" => grid.padding(value.as_u64().unwrap() as usize),
                "normalize" => grid.normalize(value.as_bool().unwrap()),
                "scale_each" => grid.scale_each(value.as_bool().unwrap()),
                "pad_value" => grid.pad_value(float(value)),
                "value_range" => grid.value_range(float(&value[0]), float(&value[1])),
                other => panic!("the test knows no argument {other}"),
            };
        }
        let expected = image::open(folder.join(format!("{name}.png"))).unwrap().to_rgb8();
        let found = grid.image().unwrap();
        assert_eq!(found.dimensions(), expected.dimensions(), "{name}");
        let differing = found.pixels().zip(expected.pixels()).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 0, "{name}: pixels that differ from torchvision's");
    }
}

#[test]
fn a_scaled_grid_repeats_every_pixel() {
    let grid = Grid::from_tensor(&formula(&[3, 3, 4, 5])).unwrap().normalize(true);
    let (one, three) = (grid.clone().scale(1).image().unwrap(), grid.scale(3).image().unwrap());
    assert_eq!(three.dimensions(), (one.width() * 3, one.height() * 3));
    assert!(three.enumerate_pixels().all(|(x, y, pixel)| pixel == one.get_pixel(x / 3, y / 3)));
}

#[test]
fn a_grid_too_large_for_a_notebook_is_made_smaller_and_says_so() {
    // Noise does not compress: 2,000×2,000 pixels are some 12 MB.
    let mut stream = tachie::rng::Seed(1).stream("noise");
    let bytes = (0..2000 * 2000 * 3).map(|_| stream.u64() as u8).collect();
    let noise = RgbImage::from_raw(2000, 2000, bytes).unwrap();
    let bundle = Grid::from_rgb(&[noise]).unwrap().bundle().unwrap();
    assert!(bundle.size() <= LIMIT, "{}", bundle.size());
    let png = image::load_from_memory(bundle.png.as_ref().unwrap()).unwrap();
    assert!(png.width() > 500, "made far too small: {}", png.width());
    assert!(bundle.plain.contains("of 2,000 × 2,000 pixels"), "{}", bundle.plain);
}

const HOSTILE: &str = "a<script>alert('x')</script>&amp;\nEVCXR_END_CONTENT\nb | \\ _ % $ # { } \u{1b}[31m ～ 立ち絵";

fn hostile_values() -> Vec<(&'static str, Box<dyn Show>)> {
    let series = |name: &str, y: &[f64]| Series::of(name, y);
    let images = Images::new(formula(&[2, 3, 8, 8])).unwrap();
    let grid = Grid::of(&images).unwrap().title(HOSTILE).captions([HOSTILE, ""]).labels([HOSTILE]).columns([HOSTILE]);
    let losses = LossPlot::new(vec![
        series(&format!("generator/{HOSTILE}"), &[1.0, f64::NAN, 1e308, -1e308, f64::INFINITY]),
        series(HOSTILE, &[]),
    ]);
    let table = Table::builder()
        .text(HOSTILE, [HOSTILE, ""])
        .numbers("n", [f64::NAN, f64::NEG_INFINITY])
        .caption(HOSTILE)
        .note(HOSTILE)
        .build()
        .unwrap();
    let scatter = Scatter::new(vec![[0.0, 0.0], [0.0, 0.0]]).unwrap().title(HOSTILE).groups([HOSTILE, "b"]).unwrap();
    vec![
        ("grid", Box::new(grid)),
        ("losses", Box::new(losses.title(HOSTILE))),
        ("log", Box::new(Plot::new().log_y().title(HOSTILE).y_label(HOSTILE).line(series("a", &[0.0, -1.0])))),
        ("table", Box::new(table)),
        ("no rows", Box::new(Table::builder().text("a", Vec::<String>::new()).build().unwrap())),
        ("scatter", Box::new(scatter)),
        ("column", Box::new(Bundle::column(&[Bundle::plain(HOSTILE), Bundle::plain("b")]))),
    ]
}

#[test]
fn bundles_are_well_formed_whatever_the_text() {
    for (what, value) in hostile_values() {
        let bundle = value.bundle().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(bundle.size() <= LIMIT, "{what}");
        for (mime, text) in bundle.parts() {
            assert!(!text.contains("EVCXR_"), "{what}: a marker in {mime}");
            match mime {
                "image/png" => {
                    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
                    image::load_from_memory(&bytes).unwrap();
                }
                "image/svg+xml" => {
                    let svg = roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{what}: {e}\n{text}"));
                    assert!(svg.descendants().all(|node| node.tag_name().name() != "script"), "{what}");
                }
                "text/html" => {
                    assert!(!text.contains("<script"), "{what}: {text}");
                    roxmltree::Document::parse(&format!("<div>{text}</div>")).unwrap_or_else(|e| panic!("{what}: {e}"));
                }
                _ => assert_eq!(mime, "text/plain"),
            }
        }
    }
}

/// The child of the test below: shows one value as a cell does.
#[test]
fn child_shows_a_value() {
    if std::env::var_os("TACHIE_TEST_SHOW").is_some() {
        let images = Images::new(formula(&[4, 3, 8, 8])).unwrap();
        images.grid(2).unwrap().title(HOSTILE).evcxr_display();
        Grid::from_rgb(&[RgbImage::new(40_000, 1)]).unwrap().evcxr_display();
    }
}

#[test]
fn a_value_is_one_bundle_of_whole_lines_and_an_error_one_line() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["child_shows_a_value", "--exact", "--nocapture", "--test-threads=1"])
        .env("TACHIE_TEST_SHOW", "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).expect("only text on standard output");
    let lines: Vec<&str> = stdout.lines().collect();
    let mimes: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once("EVCXR_BEGIN_CONTENT ")).map(|p| p.1).collect();
    assert_eq!(mimes, ["text/plain", "image/png"], "{stdout}");
    assert_eq!(lines.iter().filter(|line| **line == "EVCXR_END_CONTENT").count(), 2, "{stdout}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let messages: Vec<&str> = stderr.lines().filter(|line| line.starts_with("cannot show this value: ")).collect();
    assert_eq!(messages.len(), 1, "{stderr}");
    assert!(messages[0].contains("40000") && messages[0].contains("at most 32,767"), "{}", messages[0]);
}

#[derive(Clone, Copy, Debug)]
struct Area {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

/// Bounds of a path's coordinates; figures write absolute coordinates only.
fn points(path: &str) -> Vec<(f32, f32)> {
    let spaced: String = path.chars().map(|c| if c.is_ascii_alphabetic() { ' ' } else { c }).collect();
    let numbers: Vec<f32> = spaced.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert!(numbers.len().is_multiple_of(2), "{path}");
    numbers.chunks(2).map(|p| (p[0], p[1])).collect()
}

fn area(points: &[(f32, f32)]) -> Area {
    let fold =
        |f: fn(f32, f32) -> f32, start: f32, axis: fn(&(f32, f32)) -> f32| points.iter().map(axis).fold(start, f);
    let (left, top) = (fold(f32::min, f32::MAX, |p| p.0), fold(f32::min, f32::MAX, |p| p.1));
    Area { left, top, right: fold(f32::max, f32::MIN, |p| p.0), bottom: fold(f32::max, f32::MIN, |p| p.1) }
}

/// Panics when two texts of the figure overlap, one leaves the canvas, or a drawn line runs through one.
fn check_layout(svg: &str) -> usize {
    let document = roxmltree::Document::parse(svg).unwrap();
    let root = document.root_element();
    let size = |name: &str| root.attribute(name).unwrap().parse::<f32>().unwrap();
    let (width, height) = (size("width"), size("height"));
    let paths: Vec<_> = root.children().filter(|node| node.has_tag_name("path")).collect();
    let texts: Vec<(&str, Area)> = paths
        .iter()
        .filter_map(|node| Some((node.attribute("aria-label")?, area(&points(node.attribute("d")?)))))
        .collect();
    for (i, (text, a)) in texts.iter().enumerate() {
        let inside = a.left >= 0.0 && a.top >= 0.0 && a.right <= width && a.bottom <= height;
        assert!(inside, "{text:?} at {a:?} leaves the {width}×{height} canvas");
        for (other, b) in &texts[..i] {
            let apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            assert!(apart, "{text:?} at {a:?} overlaps {other:?} at {b:?}");
        }
    }
    for line in paths.iter().filter(|node| node.attribute("fill") == Some("none")) {
        for (x, y) in points(line.attribute("d").unwrap()) {
            assert!(
                x >= -0.5 && y >= -0.5 && x <= width + 0.5 && y <= height + 0.5,
                "a line leaves the canvas at {x}, {y}"
            );
            for (text, a) in &texts {
                let through = x > a.left && x < a.right && y > a.top && y < a.bottom;
                assert!(!through, "a line runs through {text:?} at {x}, {y}");
            }
        }
    }
    texts.len()
}

#[test]
fn no_label_overlaps_another() {
    let seed = 7;
    println!("seed {seed}");
    let mut stream = Seed(seed).stream("plots");
    let scales = [1e-300, 1e-9, 1e-3, 1.0, 37.0, 1e4, 1e8, 1e12, 1e250];
    for round in 0..150 {
        let mut plot = Plot::new().x_label("step").y_label("a rather long name of a loss, in nats");
        if stream.chance(0.5) {
            plot = plot.title("Title ".repeat(1 + stream.below(30)));
        }
        for panel in 0..1 + stream.below(4) {
            plot = plot.panel(format!("panel {panel} ").repeat(1 + stream.below(8))).y_label("loss");
            for line in 0..stream.below(14) {
                let (x0, dx) = (scales[stream.below(9)] * stream.below(2) as f64, scales[stream.below(9)]);
                let (y0, dy) = (scales[stream.below(9)] * stream.normal(), scales[stream.below(9)]);
                let n = stream.below(60);
                let x: Vec<f64> = (0..n).map(|i| x0 + dx * i as f64).collect();
                let y: Vec<f64> = (0..n).map(|_| y0 + dy * stream.normal()).collect();
                let name = format!("line {line} {}", "with a long name ".repeat(stream.below(6)));
                plot = plot.line(Series::new(name, x, y).unwrap());
            }
        }
        if stream.chance(0.3) {
            plot = plot.log_y();
        }
        if stream.chance(0.3) {
            plot = plot.smooth(0.9);
        }
        if stream.chance(0.3) {
            plot = plot.y_range(-stream.uniform(), stream.uniform());
        }
        if stream.chance(0.5) {
            plot = plot.size(1 + stream.below(1200) as u32, 1 + stream.below(900) as u32);
        }
        println!("round {round}: {plot:?}");
        check_layout(&plot.svg().unwrap());
    }
}

#[test]
fn a_usual_loss_plot_has_ticks_legends_and_labels() {
    let mut stream = Seed(1).stream("losses");
    let mut line = |name: &str| Series::of(name, (0..500).map(|_| stream.uniform()).collect::<Vec<_>>());
    let series = ["generator/adv", "generator/cls", "discriminator/real", "discriminator/fake"].map(&mut line);
    let svg = LossPlot::new(series).title("Losses").plot().svg().unwrap();
    // Title, 2 panel titles, 4 names, 2×2 axis names and at least 3 numbers on each of 4 axes.
    assert!(check_layout(&svg) >= 1 + 2 + 4 + 4 + 12);
    assert!(!svg.contains("<text") && !svg.contains("font-family"), "text must not depend on installed fonts");
    for text in ["Losses", "generator", "adv", "fake", "step", "loss", "400", "0.5"] {
        assert!(svg.contains(&format!("aria-label=\"{text}\"")), "{text}");
    }
}

#[test]
fn scatter_legends_do_not_overlap() {
    let mut stream = Seed(2).stream("points");
    let points: Vec<[f64; 2]> = (0..200).map(|_| [stream.normal(), 0.01 * stream.normal()]).collect();
    let groups = (0..200).map(|i| format!("group number {} of many", i % 31));
    let scatter = Scatter::new(points).unwrap().groups(groups).unwrap().title("Map").note("a note below").size(300);
    assert_eq!(check_layout(&scatter.svg().unwrap()), 31 + 2);
}

#[test]
fn saved_figures_open_and_the_extension_decides() {
    let folder = tempfile::tempdir().unwrap();
    let plot = Plot::new().line(Series::of("a", [1.0, 2.0]));
    plot.save(folder.path().join("new/folder/plot.PNG")).unwrap();
    let png = image::open(folder.path().join("new/folder/plot.PNG")).unwrap();
    assert_eq!((png.width(), png.height()), (1440, 540));
    plot.save(folder.path().join("plot.svg")).unwrap();
    assert!(std::fs::read_to_string(folder.path().join("plot.svg")).unwrap().starts_with("<svg "));
    let error = plot.save(folder.path().join("plot.jpg")).unwrap_err().to_string();
    assert!(error.contains("plot.jpg") && error.contains(".svg, .png"), "{error}");
    let error = plot.save(folder.path().join("plot")).unwrap_err().to_string();
    assert!(error.contains("no extension"), "{error}");
}

fn scores() -> Table {
    Table::builder()
        .text("model", ["ours_50% & co", "DCGAN | 64", "<none>"])
        .numbers("FID", [12.344, 1080.1, f64::NAN])
        .integers("n", [5_000u64, 10_000, 0])
        .best("FID", Best::Lowest)
        .digits("FID", 2)
        .caption("Scores")
        .note("n: images")
        .build()
        .unwrap()
}

#[test]
fn tables_in_every_format() {
    let table = scores();
    assert_eq!(table.csv().unwrap(), "model,FID,n\nours_50% & co,12.344,5000\nDCGAN | 64,1080.1,10000\n<none>,NaN,0\n");
    let md = "**Scores**\n\n| model | FID | n |\n| --- | ---: | ---: |\n\
        | ours\\_50% \\& co | **12.34** | 5,000 |\n| DCGAN \\| 64 | 1,080.10 | 10,000 |\n\
        | \\<none\\> | – | 0 |\n\nn: images\n";
    assert_eq!(table.md(), md);
    let tex = table.tex();
    for line in [
        "\\begin{tabular}{lrr}",
        "ours\\_50\\% \\& co & \\textbf{12.34} & 5,000 \\\\",
        "DCGAN | 64 & 1,080.10 & 10,000 \\\\",
        "\\textless{}none\\textgreater{} & -- & 0 \\\\",
    ] {
        assert!(tex.lines().any(|found| found == line), "{line} is not in\n{tex}");
    }
    let html = table.html();
    assert!(html.contains("<b>12.34</b>") && html.contains("&lt;none&gt;") && html.contains("text-align:right"));
    assert!(!html.contains("color:#") && !html.contains("background"), "colours belong to the page's theme");
    let plain = "Scores\nmodel               FID       n\nours_50% & co     12.34   5,000\n\
        DCGAN | 64     1,080.10  10,000\n<none>                –       0\nn: images";
    assert_eq!(format!("{table:?}"), plain);
}

#[test]
fn saved_tables_hold_what_the_methods_return() {
    let folder = tempfile::tempdir().unwrap();
    let table = scores();
    for (name, expected) in
        [("t.csv", table.csv().unwrap()), ("t.md", table.md()), ("t.tex", table.tex()), ("t.html", table.html())]
    {
        table.save(folder.path().join(name)).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), expected);
    }
    assert!(table.save(folder.path().join("t.xlsx")).unwrap_err().to_string().contains(".csv, .md, .tex, .html"));
}

#[test]
fn long_and_empty_tables() {
    let long = Table::builder().integers("i", 0..100_000i64).build().unwrap();
    let bundle = long.bundle().unwrap();
    assert!(bundle.size() < 64 * 1024 && bundle.plain.contains("first 60 of 100,000 rows"));
    assert_eq!(long.csv().unwrap().lines().count(), 100_001);
    let empty = Table::builder().text("a", Vec::<String>::new()).numbers("b", Vec::<f64>::new()).build().unwrap();
    assert!(empty.html().contains("no rows") && empty.md().lines().count() == 2);
    assert!(Table::builder().build().unwrap().bundle().is_ok());
}

#[test]
fn tables_that_cannot_be_are_refused() {
    let error = |table: tachie::show::table::TableBuilder| table.build().unwrap_err().to_string();
    assert!(error(Table::builder().text("a", ["x"]).numbers("b", [1.0, 2.0])).contains("a: 1, b: 2"));
    assert!(error(Table::builder().text("a", ["x"]).text("a", ["y"])).contains("twice"));
    assert!(error(Table::builder().numbers("FID", [1.0]).best("fid", Best::Lowest)).contains("\"fid\""));
}
