//! Pictures looked through by people: contact sheets, decisions, copies; nothing is deleted.

use std::fs;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use serde_json::Value;
use tachie::data::Dataset;
use tachie::data::avatar::Avatar;
use tachie::data::prepare::cascade::Cascade;
use tachie::data::prepare::detect::DetectOptions;
use tachie::data::prepare::review::{Decision, Decisions, Line, Review, SheetOptions, Undecided};
use tempfile::TempDir;

use super::{everything_below, tachie};

const NAMES: [&str; 5] = ["a.png", "b <b>.png", "下/c.png", "下/d.png", "long.png"];

fn picture(i: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let inside = x > 8 && x < width - 9 && y > 8 && y < height - 9;
        let shade = (((x / 12) * (37 + 11 * i)) ^ ((y / 12) * (59 + 7 * i))).wrapping_mul(13) as u8;
        if inside { Rgb([shade, 255 - shade, (40 * i) as u8]) } else { Rgb([255; 3]) }
    })
}

fn pictures() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("in/下")).unwrap();
    for (i, name) in (0..).zip(&NAMES[..4]) {
        picture(i, 100, 120).save(folder.path().join("in").join(name)).unwrap();
    }
    picture(9, 600, 100).save(folder.path().join("in/long.png")).unwrap();
    folder
}

fn decided(folder: &Path, of: &[(&str, Decision)]) -> Review {
    let lines = of.iter().map(|(file, decision)| Line::new(*file, *decision)).collect();
    Review::open(folder).unwrap().decided(Decisions::new(lines))
}

#[test]
fn a_sheet_measures_and_points_out() {
    let folder = pictures();
    let input = folder.path().join("in");
    let twin = image::open(input.join("a.png")).unwrap().resize_exact(200, 240, image::imageops::FilterType::Triangle);
    twin.save(input.join("twin.png")).unwrap();
    RgbImage::from_pixel(80, 80, Rgb([9; 3])).save(input.join("plain.png")).unwrap();
    fs::write(input.join("broken.png"), b"no picture").unwrap();
    let cascade =
        Cascade::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cascade/small.xml")).unwrap();
    let faces = Some((cascade, DetectOptions::default()));
    let sheet = Review::open(&input).unwrap().sheet(&SheetOptions { faces, ..SheetOptions::default() }).unwrap();
    let entry = |file: &str| sheet.entries().iter().find(|entry| entry.file == file).unwrap();
    let kinds = |file: &str| entry(file).flags.iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
    assert!(kinds("long.png").contains(&"too long"));
    assert!(kinds("plain.png").contains(&"mostly blank") && kinds("plain.png").contains(&"no face"));
    assert!(kinds("twin.png").contains(&"near-duplicate") && entry("twin.png").group == entry("a.png").group);
    assert!(entry("long.png").group.is_none());
    assert_eq!((entry("a.png").size, entry("plain.png").blank), ((100, 120), 1.0));
    assert_eq!(sheet.problems().of("broken.png")[0].kind, "not a picture");
    let csv = sheet.table().unwrap().csv().unwrap();
    assert!(csv.starts_with("file,decision,width,height,aspect,blank (%),face,near-duplicates,pointed out\n"), "{csv}");
    assert_eq!(csv.lines().count(), 8);
    for thumbnail in [15, 1025] {
        assert!(Review::open(&input).unwrap().sheet(&SheetOptions { thumbnail, ..SheetOptions::default() }).is_err());
    }
}

#[test]
fn a_page_holds_everything_and_no_name_can_break_it() {
    let folder = pictures();
    let input = folder.path().join("in");
    let evil = "x<script>alert('{{data}}')</script>&amp;.png".replace('/', "");
    picture(3, 90, 90).save(input.join(&evil)).unwrap();
    let review =
        decided(&input, &[("a.png", Decision::Drop), ("a.png", Decision::Undo), ("b <b>.png", Decision::Keep)]);
    let page = review.sheet(&SheetOptions::default()).unwrap().html(6, 4);
    assert_eq!(page.matches("<script").count(), 2, "a name made an element");
    assert!(!page.contains("http"), "something comes from outside");
    let start = page.find("type=\"application/json\">").unwrap() + 24;
    let data: Value = serde_json::from_str(&page[start..start + page[start..].find("</script>").unwrap()]).unwrap();
    let pictures = data["pictures"].as_array().unwrap();
    assert_eq!((pictures.len(), &data["columns"], &data["page"]), (6, &Value::from(6), &Value::from(4)));
    assert!(pictures.iter().any(|picture| picture["file"] == evil.as_str()));
    assert_eq!((data["lines"].as_array().unwrap().len(), &data["lines"][1]["decision"]), (3, &Value::from("undo")));
    use base64::Engine;
    let small = base64::engine::general_purpose::STANDARD.decode(pictures[0]["small"].as_str().unwrap()).unwrap();
    assert_eq!(image::load_from_memory(&small).unwrap().height(), 120);
    // The page remembers decisions of the same pictures, whatever they are.
    let other = Review::open(&input).unwrap().sheet(&SheetOptions::default()).unwrap().html(0, 9);
    assert!(other.contains(&format!("\"id\":{}", data["id"])));
}

#[test]
fn figures_are_numbered_pages() {
    let folder = pictures();
    let sheet = Review::open(folder.path().join("in")).unwrap().sheet(&SheetOptions::default()).unwrap();
    let place = folder.path().join("sheets/s.png");
    assert_eq!(sheet.save(&place, 2, 2).unwrap(), 3);
    let sizes: Vec<_> = ["s.png", "s-2.png", "s-3.png"]
        .map(|name| image::open(folder.path().join("sheets").join(name)).unwrap().width())
        .into();
    assert_eq!(sizes[0], sizes[1]);
    assert!(sheet.save(folder.path().join("s.gif"), 2, 2).is_err());
    assert!(format!("{sheet:?}").starts_with("in: 5 pictures, 1 pointed out"), "{sheet:?}");
}

#[test]
fn what_is_kept_is_copied_and_nothing_is_deleted() {
    let folder = pictures();
    let input = folder.path().join("in");
    let before = everything_below(&input);
    let mut review = Review::open(&input).unwrap();
    let file = folder.path().join("mine.jsonl");
    let line = |name: &str, decision| Line { reason: Some("cut off".into()), ..Line::new(name, decision) };
    review.decide(&file, &[line("a.png", Decision::Drop), line("下/c.png", Decision::Drop)]).unwrap();
    review.decide(&file, &[line("下/c.png", Decision::Undo), line("下/d.png", Decision::Keep)]).unwrap();
    assert!(review.to_string().ends_with("5 pictures, 1 kept, 1 dropped, 3 undecided"), "{review}");
    let refused = review.decide(&file, &[line("C.png", Decision::Drop)]).unwrap_err().to_string();
    assert!(refused.contains("Did you mean: 下/c.png?"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 4, "a refused decision was written");

    let out = folder.path().join("all but the dropped");
    let report = review.apply(&out, Undecided::Keep, false).unwrap();
    assert_eq!((report.copied, report.problems.used), (4, 4), "{report}");
    let names = |folder: &Path| -> Vec<PathBuf> {
        let files = everything_below(folder).into_iter().map(|(path, _)| path.strip_prefix(folder).unwrap().to_owned());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "png")).collect()
    };
    assert_eq!(names(&out), ["b <b>.png", "long.png", "下/c.png", "下/d.png"].map(PathBuf::from));
    assert_eq!(fs::read(out.join("下/c.png")).unwrap(), fs::read(input.join("下/c.png")).unwrap());
    let table = fs::read_to_string(out.join("review.csv")).unwrap();
    assert!(table.contains("a.png,dropped,cut off,left out"), "{table}");

    // Interrupted and completed; the same folder is not taken for other decisions.
    fs::remove_file(out.join("long.png")).unwrap();
    let again = review.apply(&out, Undecided::Keep, false).unwrap();
    assert_eq!((again.copied, again.there), (1, 3), "{again}");
    review.decide(&file, &[line("long.png", Decision::Drop)]).unwrap();
    let refused = review.apply(&out, Undecided::Keep, false).unwrap_err().to_string();
    assert!(refused.contains("Nothing is overwritten"), "{refused}");
    assert!(out.join("long.png").exists());

    let few = folder.path().join("only the kept");
    assert_eq!(review.apply(&few, Undecided::LeaveOut, true).unwrap().copied, 1);
    assert_eq!(names(&few), [PathBuf::from("下/d.png")]);
    for inside in [input.clone(), input.join("copy")] {
        assert!(review.apply(&inside, Undecided::Keep, false).unwrap_err().to_string().contains("outside"));
    }
    assert!(!input.join("copy").exists());
    assert!(everything_below(&input) == before, "the pictures were touched");
    let gone = decided(&input, &[("gone.png", Decision::Drop)]);
    let report = gone.apply(folder.path().join("gone"), Undecided::Keep, false).unwrap();
    assert_eq!(report.problems.of("gone.png")[0].kind, "decided, but not there");
}

#[test]
fn a_data_set_is_looked_through_with_its_tags() {
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("faces");
    Avatar::faces().size(32).write_folder(6, &input).unwrap();
    let dataset = Dataset::open(&input).unwrap();
    let review = Review::open(&input).unwrap();
    assert_eq!(review.files().len(), 6);
    let dropped = review.files()[2].clone();
    let review = review.decided(Decisions::new(vec![Line::new(&dropped, Decision::Drop)]));
    let out = folder.path().join("chosen");
    review.apply(&out, Undecided::Keep, false).unwrap();
    let chosen = Dataset::open(&out).unwrap();
    assert_eq!((chosen.len(), chosen.report().of(&dropped)[0].kind.as_str()), (5, "missing file"));
    assert_eq!(chosen.labels(2).unwrap(), dataset.labels(3).unwrap());
    assert_eq!(chosen.image(4).unwrap(), dataset.image(5).unwrap());
}

#[test]
fn review_as_somebody_types_it() {
    let folder = pictures();
    let input = folder.path().join("in");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let run = |more: &[&str]| {
        let output = tachie(&[&["data", "review", "--in", input.to_str().unwrap()][..], more].concat());
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (done, text) = run(&["--out", &path("review.html"), "--columns", "5"]);
    assert!(
        done && text.contains("5 pictures, 0 kept") && text.contains("review.html: 5 pictures, 1 pointed out"),
        "{text}"
    );
    assert!(fs::read_to_string(path("review.html")).unwrap().contains("\"columns\":5"));
    let decide = ["--decide", "a.png=drop", "--decide", "下/c.png=drop", "--by", "me", "--reason", "twins"];
    assert!(run(&decide).0);
    let (done, text) = run(&["--decide", "下/c.png=undo", "--apply", &path("out")]);
    assert!(done && text.contains("0 kept, 1 dropped, 4 undecided") && text.contains("dropped: 1, left out"), "{text}");
    assert!(text.contains("a.png: twins, by me"), "{text}");
    let lines = fs::read_to_string(input.join("decisions.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3, "{lines}");
    assert!(lines.starts_with(r#"{"file":"a.png","decision":"drop","time":"#), "{lines}");
    for (more, words) in [
        (vec!["--decide", "a.png=delete"], "expected FILE=drop"),
        (vec!["--decide", "z.png=drop"], "one of the 5 pictures"),
        (vec!["--decisions", "absent.jsonl"], "absent.jsonl"),
        (vec!["--only-kept"], "--apply"),
    ] {
        let (done, text) = run(&more);
        assert!(!done && text.contains(words), "{text}");
    }
    assert!(everything_below(&input).len() == 6, "five pictures and the decisions");
}
