//! Animations: files that are read again, layouts, walks, and the time lapse of a run.

mod common;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::{AnimationDecoder, Frame, Rgb, RgbImage};
use tachie::data::Images;
use tachie::data::poses::{Pose, PoseSequence, Skeleton};
use tachie::rng::Seed;
use tachie::sample::{Path as Way, walk};
use tachie::show::animation::{Animation, TimeLapse};
use tachie::show::bundle::{LIMIT, Show};
use tachie::show::skeleton::SkeletonStyle;
use tachie::train::tensorboard::EventFile;
use tachie::train::trainer::Options;
use tempfile::TempDir;

/// A square of 4 pixels that goes from left to right over a background.
fn square(frames: u32, fps: f64) -> Animation {
    let frame = |i: u32| {
        RgbImage::from_fn(40, 24, |x, y| match (i..i + 4).contains(&x) && (8..12).contains(&y) {
            true => Rgb([200, 30, 40]),
            false => Rgb([255, 255, 250]),
        })
    };
    Animation::new((0..frames).map(frame).collect::<Vec<_>>(), fps).unwrap()
}

/// Thousands of colours on white.
fn colourful(frames: u32) -> Animation {
    let frame = |i: u32| {
        RgbImage::from_fn(64, 64, |x, y| match x < 8 {
            true => Rgb([255; 3]),
            false => Rgb([(4 * x) as u8, (4 * y) as u8, (128 + 8 * i) as u8]),
        })
    };
    Animation::new((0..frames).map(frame).collect::<Vec<_>>(), 10.0).unwrap()
}

fn pixels(frames: &[Frame]) -> Vec<RgbImage> {
    frames.iter().map(|frame| image::DynamicImage::from(frame.buffer().clone()).into_rgb8()).collect()
}

fn read_gif(bytes: &[u8]) -> Vec<Frame> {
    GifDecoder::new(Cursor::new(bytes)).unwrap().into_frames().collect_frames().unwrap()
}

fn read_apng(bytes: &[u8]) -> Vec<Frame> {
    let decoder = PngDecoder::new(Cursor::new(bytes)).unwrap();
    assert!(decoder.is_apng().unwrap());
    decoder.apng().unwrap().into_frames().collect_frames().unwrap()
}

#[test]
fn a_gif_of_few_colours_holds_every_pixel() {
    let walk = square(20, 12.5);
    let bytes = walk.gif().unwrap();
    let frames = read_gif(&bytes);
    assert_eq!(pixels(&frames), walk.frames());
    assert!(frames.iter().all(|frame| frame.delay().numer_denom_ms() == (80, 1)));
    // The extension that makes it loop, and 0 for ever.
    let netscape = bytes.windows(11).position(|window| window == b"NETSCAPE2.0").unwrap();
    assert_eq!(bytes[netscape + 11..netscape + 16], [3, 1, 0, 0, 0]);
    let thirty = read_gif(&square(30, 30.0).gif().unwrap());
    let time: u32 = thirty.iter().map(|frame| frame.delay().numer_denom_ms().0).sum();
    assert_eq!((thirty.len(), time), (30, 1000));
    assert_eq!(read_gif(&square(20, 100.0).gif().unwrap()).len(), 10);
}

#[test]
fn a_gif_of_many_colours_stays_near_and_keeps_white() {
    let animation = colourful(8);
    let frames = pixels(&read_gif(&animation.gif().unwrap()));
    assert_eq!(frames.len(), 8);
    let mut square = 0.0;
    for (found, wanted) in frames.iter().zip(animation.frames()) {
        assert!((0..64).all(|y| found.get_pixel(3, y).0 == [255; 3]));
        let error = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
        square += found.as_raw().iter().zip(wanted.as_raw()).map(error).sum::<f64>();
    }
    let psnr = 10.0 * (255.0f64.powi(2) / (square / (8.0 * 64.0 * 64.0 * 3.0))).log10();
    assert!(psnr > 28.0, "{psnr:.1} dB");
    println!("global palette: {psnr:.1} dB");
    let all: std::collections::BTreeSet<[u8; 3]> = frames.iter().flat_map(|f| f.pixels().map(|p| p.0)).collect();
    assert!(all.len() <= 256, "{} colours", all.len());
    assert_eq!(animation.gif().unwrap(), animation.gif().unwrap());
}

#[test]
fn an_animated_png_holds_every_pixel() {
    for animation in [square(20, 12.5), colourful(8), square(1, 3.0)] {
        let frames = read_apng(&animation.apng().unwrap());
        assert_eq!(pixels(&frames), animation.frames());
        let (n, d) = frames[0].delay().numer_denom_ms();
        assert!((f64::from(n) / f64::from(d) - 1000.0 / animation.fps()).abs() < 0.5, "{n}/{d} ms");
    }
    // The first frame is a picture for those who know no animation; a still frame costs next to nothing.
    let bytes = square(20, 12.5).apng().unwrap();
    assert_eq!(image::load_from_memory(&bytes).unwrap().into_rgb8(), square(1, 1.0).frames()[0]);
    let still = Animation::new(vec![colourful(1).frames()[0].clone(); 50], 10.0).unwrap();
    assert!(still.apng().unwrap().len() < colourful(1).apng().unwrap().len() + 50 * 120);
    assert_eq!(pixels(&read_apng(&still.apng().unwrap())), still.frames());
}

#[test]
fn the_extension_says_the_format_and_files_are_whole() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join("new").join(name);
    let walk = square(5, 10.0);
    walk.save(at("walk.gif")).unwrap();
    walk.save(at("walk.APNG")).unwrap();
    walk.save(at("walk.png")).unwrap();
    assert_eq!(fs::read(at("walk.gif")).unwrap(), walk.gif().unwrap());
    assert_eq!(fs::read(at("walk.png")).unwrap(), fs::read(at("walk.APNG")).unwrap());
    assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 3);
    let error = walk.save(at("walk.webm")).unwrap_err().to_string();
    assert!(error.contains(".gif, .png, .apng, .mp4"), "{error}");
    walk.save_frames(at("frames")).unwrap();
    let frame = image::open(at("frames/000004.png")).unwrap().into_rgb8();
    assert_eq!(frame, walk.frames()[4]);
    assert!(walk.save_frames(at("frames")).unwrap_err().to_string().contains("Nothing is overwritten"));
    let again = Animation::from_folder(at("frames"), 10.0).unwrap();
    assert_eq!((again.len(), again.size().0), (5, 40));
    assert!(again.size().1 > 24, "there is a caption");
    assert!(Animation::from_folder(folder.path(), 10.0).unwrap_err().to_string().contains("no PNG file"));
}

#[test]
fn what_cannot_be_an_animation_says_why() {
    let frame = RgbImage::new(4, 4);
    for (frames, fps, wanted) in [
        (vec![], 1.0, "no frame"),
        (vec![frame.clone(), RgbImage::new(4, 5)], 1.0, "4×5 pixels, expected 4×4"),
        (vec![RgbImage::new(0, 4)], 1.0, "at least one pixel"),
        (vec![frame.clone()], 0.0, "frames per second"),
        (vec![frame.clone()], f64::NAN, "frames per second"),
    ] {
        let error = Animation::new(frames, fps).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn a_cell_shows_a_gif_of_at_most_the_limit() {
    let small = square(10, 10.0).bundle().unwrap();
    let html = small.html.unwrap();
    assert!(html.contains("src=\"data:image/gif;base64,R0lGODlh") && html.contains("width=\"240\""), "{html:.300}");
    assert!(html.contains("pixelated") && !html.contains("save()"));
    assert_eq!(small.plain, "Animation(10 frames of 40×24, 10 per second)");
    // Noise cannot be compressed: 40 frames of 300×300 are 3.6 MB.
    let mut stream = Seed(1).stream("noise");
    let mut noise = || RgbImage::from_fn(300, 300, |_, _| Rgb([stream.u64() as u8, stream.u64() as u8, 9]));
    let large = Animation::new((0..40).map(|_| noise()).collect::<Vec<_>>(), 10.0).unwrap();
    let bundle = large.bundle().unwrap();
    assert!(bundle.size() < LIMIT && bundle.html.unwrap().contains("save() writes all of it"));
}

#[test]
fn animations_stand_beside_each_other_and_in_grids() {
    let walk = square(6, 10.0);
    let both = walk.beside(&walk.enlarged(2).unwrap()).unwrap();
    assert_eq!((both.size(), both.len()), ((84, 24), 6));
    let frame = &both.frames()[3];
    assert_eq!(frame.get_pixel(5, 10), walk.frames()[3].get_pixel(5, 10));
    assert_eq!(frame.get_pixel(42, 10).0, [255; 3]);
    assert_eq!(frame.get_pixel(44 + 5, 10).0, [200, 30, 40]);
    let grid = Animation::grid(&[walk.clone(), walk.clone(), walk.clone()], 2, &["one", "two", "three"]).unwrap();
    assert_eq!(grid.len(), 6);
    assert!(grid.size().0 >= 80 && grid.size().1 > 2 * 24 + 20, "{:?}", grid.size());
    let plain = Animation::grid::<&str>(&[walk.clone(), walk.clone()], 2, &[]).unwrap();
    assert_eq!(plain.size(), (2 * 42 + 2, 28));
    assert_eq!(plain.frames()[2].get_pixel(2 + 3, 2 + 9), walk.frames()[2].get_pixel(3, 9));
    let error = walk.beside(&square(5, 10.0)).unwrap_err().to_string();
    assert!(error.contains("5 frames at 10 per second, expected 6 frames"), "{error}");
    assert!(Animation::grid::<&str>(&[], 2, &[]).is_err());
    let there_and_back = walk.ping_pong();
    assert_eq!(there_and_back.len(), 10);
    assert_eq!((&there_and_back.frames()[5], &there_and_back.frames()[9]), (&walk.frames()[5], &walk.frames()[1]));
    assert_eq!((square(2, 1.0).ping_pong().len(), square(1, 1.0).ping_pong().len()), (2, 1));
    assert_eq!(walk.then(&walk).unwrap().len(), 12);
    assert!(walk.then(&square(6, 9.0)).is_err() && walk.captioned(&["one"]).is_err() && walk.enlarged(0).is_err());
    let named = walk.captioned(&["", "a", "a longer text", "", "", ""]).unwrap();
    assert_eq!(named.size().0, 40);
}

#[test]
fn pictures_and_their_skeletons_play_together() {
    let pose = |i: u64| {
        let mut points = vec![[0.0; 3]; 20];
        (points[2], points[3]) = ([20.0, 40.0, 1.0], [20.0 + 2.0 * i as f32, 20.0, 1.0]);
        Pose::new(i, (64, 64), points)
    };
    let poses = PoseSequence::new(Skeleton::bones().unwrap(), 15.0, (0..8).map(pose).collect()).unwrap();
    let skeletons = poses.animation(&SkeletonStyle::paper(), (64, 64)).unwrap();
    let pictures: Vec<RgbImage> = (0..8).map(|_| RgbImage::from_pixel(64, 64, Rgb([10, 20, 30]))).collect();
    let film = Images::from_rgb(&pictures).unwrap().animation(15.0).unwrap().beside(&skeletons).unwrap();
    assert_eq!((film.size(), film.fps(), film.seconds()), ((132, 64), 15.0, 8.0 / 15.0));
    let frame = &film.frames()[7];
    assert_eq!(frame.get_pixel(5, 5).0, [10, 20, 30]);
    // The pixel whose corner the point is: a dot of 1.1 pixels covers most of it.
    assert!(frame.get_pixel(68 + 34, 20).0[0] > 200, "{:?}", frame.get_pixel(68 + 34, 20));
    assert_eq!(frame.get_pixel(68 + 20, 20).0, [0; 3]);
}

#[test]
fn walks_are_the_same_every_time() {
    let walk = walk::looped(12, 2, 16, 3.0, Seed(7)).unwrap();
    assert_eq!(walk.dims(), [12, 2, 16]);
    let values = |tensor: &tachie::candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(values(&walk), values(&walk::looped(12, 2, 16, 3.0, Seed(7)).unwrap()));
    let stops = walk.get(0).unwrap();
    let path = walk::through(&stops, 5, Way::Slerp, false).unwrap();
    assert_eq!(path.dims(), [6, 16]);
}

/// A run folder as the trainer leaves it: a history, and event files of a run that was killed and resumed.
fn run(folder: &Path) {
    let row = |step: u64| {
        let (images, seconds) = (16 * step, 2.0 * step as f64);
        format!(
            "{{\"step\":{step},\"images\":{images},\"seconds\":{seconds},\"stage\":0,\"alpha\":1.0,\"rates\":{{}},\"losses\":{{}}}}\n"
        )
    };
    fs::write(folder.join("history.jsonl"), (1..=400).map(row).collect::<String>()).unwrap();
    let sheet = |level: u8, side: u32| {
        let mut png = Cursor::new(Vec::new());
        RgbImage::from_pixel(side, side, Rgb([level; 3])).write_to(&mut png, image::ImageFormat::Png).unwrap();
        png.into_inner()
    };
    let write = |after: u64, steps: &[(u64, u8, u32)]| {
        let mut events = EventFile::create(folder, after).unwrap();
        for (step, level, side) in steps {
            events.scalars(*step, [("d/adv", 1.0)]).unwrap();
            events.image(*step, "other", (1, 1), b"no picture").unwrap();
            events.image(*step, "preview", (*side, *side), &sheet(*level, *side)).unwrap();
        }
        events.flush().unwrap();
    };
    write(0, &[(1, 10, 150), (100, 20, 300), (300, 99, 300)]);
    write(200, &[(250, 30, 300), (400, 40, 300), (400, 40, 300)]);
}

#[test]
fn a_run_plays_from_its_first_preview_to_its_last() {
    let folder = TempDir::new().unwrap();
    run(folder.path());
    let lapse = TimeLapse { seconds: 4.0, fps: 10.0, exponent: 1.0, captions: false };
    let film = lapse.of(folder.path()).unwrap();
    assert_eq!((film.len(), film.size(), film.fps()), (40, (300, 300), 10.0));
    let levels: Vec<u8> = film.frames().iter().map(|frame| frame.get_pixel(150, 150).0[0]).collect();
    // A step takes two seconds: after a tenth of the film 80 of 800 seconds, that is step 40, are over.
    assert_eq!(
        [levels[0], levels[8], levels[9], levels[23], levels[24], levels[38], levels[39]],
        [10, 10, 20, 20, 30, 30, 40]
    );
    assert!(!levels.contains(&99), "what a resumed run made void is not shown");
    let slow = TimeLapse { exponent: 2.0, ..lapse }.of(folder.path()).unwrap();
    assert_eq!(slow.frames().iter().filter(|frame| frame.get_pixel(0, 0).0[0] == 10).count(), 19);
    let with = TimeLapse { captions: true, ..lapse }.of(folder.path()).unwrap();
    assert!(with.size().0 == 300 && (315..340).contains(&with.size().1), "{:?}", with.size());
    assert!(TimeLapse { seconds: 0.0, ..lapse }.of(folder.path()).is_err());
    assert!(TimeLapse::default().of(folder.path().join("absent")).is_err());
    let file = fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.to_string_lossy().contains("tfevents"));
    let file = file.unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[60] ^= 1;
    fs::write(&file, bytes).unwrap();
    let error = lapse.of(folder.path()).unwrap_err().to_string();
    assert!(error.contains("a damaged record at byte") && error.contains("tfevents"), "{error}");
}

#[test]
fn a_real_training_can_be_played() {
    let folder = TempDir::new().unwrap();
    let mut run = common::open(folder.path(), &common::ToyConfig::default(), Options::default()).unwrap();
    run.steps(12).unwrap();
    let film = TimeLapse { seconds: 1.0, fps: 4.0, ..TimeLapse::default() }.of(folder.path()).unwrap();
    assert_eq!(film.len(), 4);
    let picture = image::open(folder.path().join("preview.png")).unwrap().into_rgb8();
    let last = film.frames().last().unwrap();
    let same = picture.enumerate_pixels().all(|(x, y, pixel)| last.get_pixel(x, y) == pixel);
    assert!(same, "the film ends with the latest preview");
    assert_ne!(film.frames()[0], *last);
}
