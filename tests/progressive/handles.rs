//! Models as a notebook holds them: built, trained, kept, drawn with, judged.

use tachie::candle_core::{Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::Images;
use tachie::data::poses::{Pose, PoseSequence, Skeleton};
use tachie::metrics::evaluate::{Evaluation, Metric};
use tachie::metrics::labels::keypoints::Scale;
use tachie::metrics::nets::pose_reader::{PoseReader, Training};
use tachie::models::baselines::progan::{Progan, ProganConfig};
use tachie::models::model::{Model, model_of_file, model_of_run};
use tachie::models::psgan::{Psgan, PsganConfig};
use tachie::models::stylegan::{Stylegan, StyleganConfig, Truncation};
use tachie::nn::progressive::Group;
use tachie::rng::{Seed, seed};
use tachie::sample::{NoiseMode, Path, seeds, walk};
use tachie::show::bundle::Show;
use tachie::show::skeleton::SkeletonStyle;
use tachie::train::gan::Gan;
use tachie::train::plan::Mark;
use tachie::train::trainer::Options;

use crate::numbers;
use crate::training::{growth, network, posed};

fn psgan() -> PsganConfig {
    PsganConfig { network: network(), growth: growth(), keypoints: 3, twos: false, ..Psgan::tiny() }
}

fn stylegan() -> StyleganConfig {
    StyleganConfig { network: network(), growth: growth(), mapping_layers: 2, group: Group::Whole, ..Stylegan::tiny() }
}

fn same(a: &Images, b: &Images) -> bool {
    numbers(&a.tensor) == numbers(&b.tensor)
}

fn largest(a: &Tensor, b: &Tensor) -> f64 {
    numbers(a).iter().zip(numbers(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// What a run folder and a file give back draws the same pictures; a file of another model is refused by name.
fn kept<G: Gan>(model: &Model<G>, folder: &std::path::Path, draw: impl Fn(&Model<G>) -> Images) {
    let file = folder.join("model.safetensors");
    model.ema().save(&file).unwrap();
    assert_eq!(model_of_file(&file).unwrap(), G::NAME);
    assert_eq!(model_of_run(folder).unwrap(), G::NAME);
    let drawn = draw(&model.ema());
    assert!(same(&drawn, &draw(&Model::open(&file, &Device::Cpu).unwrap())));
    assert!(same(&drawn, &draw(&Model::open_run(folder, &Device::Cpu).unwrap().ema())));
    let card = model.bundle().unwrap();
    assert!(format!("{card:?}").contains("parameters"), "{card:?}");
}

#[test]
fn psgan_is_trained_kept_and_drawn_with() {
    let folder = tempfile::tempdir().unwrap();
    let data = posed(16, 24);
    let gan = psgan().build(&Device::Cpu).unwrap();
    let mut run = gan.train_with(&data, folder.path(), Options::default().device(&Device::Cpu)).unwrap();
    run.until(Mark::Images(40)).unwrap();
    let poses = data.poses(&[0, 1, 2]).unwrap();
    assert_eq!(poses.dims(), [3, 3, 3]);
    kept(&gan, folder.path(), |gan| gan.sample(&poses, seed(3)).unwrap());

    // Rows are poses, columns characters: each cell is the picture of its own pose and latent.
    let z = walk::through(&gan.latents(&[5, 6]).unwrap(), 3, Path::Slerp, false).unwrap();
    let all = gan.characters(&z, &poses).unwrap();
    assert_eq!((z.dims(), all.len()), (&[4, 8][..], 12));
    let (row, column) = (2, 1);
    let cell = gan.draw(&z.narrow(0, column, 1).unwrap(), &poses.narrow(0, row, 1).unwrap()).unwrap();
    // How a convolution is computed, and with it the last bits, depends on the number of pictures.
    let near = |images: &Images, i: usize| largest(&cell.tensor, &images.tensor.narrow(0, i, 1).unwrap()) < 1e-5;
    assert!(near(&all, row * 4 + column) && !near(&all, row * 4 + column + 1));
    let frames = gan.animate(&z.narrow(0, column, 1).unwrap(), &poses).unwrap();
    assert!(near(&frames, row));

    let message = gan.draw(&z, &poses).unwrap_err().to_string();
    assert!(message.contains("4 latents, 3 poses"), "{message}");
    let faces = Avatar::faces().size(16).take(24).unwrap();
    let message = gan.train_on(&faces, folder.path().join("other")).unwrap_err().to_string();
    assert!(message.contains("key points of"), "{message}");
    let other = Progan::open(folder.path().join("model.safetensors"), &Device::Cpu).unwrap_err().to_string();
    assert!(other.contains("weights of psgan") && other.contains("progan"), "{other}");
}

#[test]
fn growing_models_are_judged_in_the_poses_of_real_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let data = posed(16, 24);
    let gan = psgan().build(&Device::Cpu).unwrap();
    let config = ProganConfig { network: network(), growth: growth(), ..Progan::tiny() };
    let progan = config.build(&Device::Cpu).unwrap();
    let style = stylegan().build(&Device::Cpu).unwrap();
    let mut run = gan.train_with(&data, folder.path(), Options::default().device(&Device::Cpu)).unwrap();
    run.until(Mark::Images(20)).unwrap();
    let evaluation = Evaluation::on(&data)
        .model("progan", &progan)
        .model("psgan", &gan)
        .model("stylegan", &style)
        .metrics([Metric::sharpness()]);
    let results = evaluation.run().unwrap();
    assert_eq!(results.rows.len(), 3);
    let curve =
        Evaluation::on(&data).metrics([Metric::sharpness()]).over_training(folder.path(), &Device::Cpu).unwrap();
    assert!(!curve.steps.is_empty());
    let message = Evaluation::on(&Avatar::faces().size(16).take(4).unwrap())
        .model("psgan", &gan)
        .metrics([Metric::sharpness()])
        .run()
        .unwrap_err()
        .to_string();
    assert!(message.contains("no key points"), "{message}");
}

/// specs/fullbody.md B.7: what a model is not asked for is a dash and a note.
#[test]
fn structure_is_compared_where_poses_are_asked_for() {
    let data = posed(16, 24);
    let all: Vec<usize> = (0..24).collect();
    let settings = Training { pictures: 24, steps: 5, batch: 4, ..Training::default() };
    let reader = PoseReader::train(&data, &settings, |_, _| ()).unwrap();
    let progan = ProganConfig { network: network(), growth: growth(), ..Progan::tiny() }.build(&Device::Cpu).unwrap();
    let evaluation = Evaluation::on(&data).metrics(Metric::structure(&reader)).quiet();
    let results = evaluation
        .model("drawn", &data)
        .model("psgan", &psgan().build(&Device::Cpu).unwrap())
        .model("progan", &progan)
        .run()
        .unwrap();
    let errors = reader.errors(&data.images(24).unwrap(), &data.poses(&all).unwrap()).unwrap();
    let pck = errors.pck(0.1, &Scale::Box).unwrap().value;
    assert_eq!((results.value("pck@0.1"), results.value("pixel-error")), (Some(pck), Some(errors.pixel_error().value)));
    let keys = |row: usize| results.rows[row].measured.iter().map(|measured| measured.key.as_str()).collect::<Vec<_>>();
    assert_eq!(keys(1), ["fid", "kid", "pck@0.1", "pixel-error"]);
    assert_eq!(keys(2), ["fid", "kid"]);
    assert!(results.notes.iter().any(|note| note.contains("progan") && note.contains("3 key points")), "{results:?}");
    let table = results.table().unwrap().md();
    assert!(table.lines().any(|line| line.contains("progan") && line.contains("| – | – |")), "{table}");
    let strict = Evaluation::on(&data).metrics([Metric::keypoints(&reader)]).model("progan", &progan).quiet();
    assert!(strict.run().unwrap_err().to_string().contains("expected 3 key points a picture"));
}

#[test]
fn characters_and_motions_stand_beside_their_skeletons() {
    let data = posed(16, 6);
    let gan = psgan().build(&Device::Cpu).unwrap();
    let motion = data.motion(&[0, 1, 2, 3], 10.0).unwrap();
    assert_eq!((motion.len(), motion.fps(), &motion.poses()[2].name), (4, 10.0, &data.key(2).unwrap()));
    assert_eq!(numbers(&motion.tensor().unwrap()), numbers(&data.poses(&[0, 1, 2, 3]).unwrap()));
    let z = gan.latents(&[1, 2, 3]).unwrap();
    let grid = gan.interpolation(&z, 5, &motion).unwrap();
    // Four poses; a skeleton, three characters and five between two of them.
    assert_eq!(grid.len(), 4 * (1 + 3 + 2 * 5));
    let film = gan.film(&z, &motion, &["a", "b", "c"], Some(&SkeletonStyle::paper())).unwrap();
    assert_eq!((film.len(), film.fps()), (4, 10.0));
    let alone = gan.film(&z.narrow(0, 0, 1).unwrap(), &motion, &[""; 0], None).unwrap();
    assert!(film.size().0 >= 4 * 128 && film.size().0 > 3 * alone.size().0, "{:?} {:?}", film.size(), alone.size());
    let other = Skeleton::new(&["head"]).unwrap();
    let pose = Pose::new(0, (16, 16), vec![[1.0, 2.0, 1.0]]);
    let other = PoseSequence::new(other, 10.0, vec![pose]).unwrap();
    assert!(gan.interpolation(&z, 1, &other).unwrap_err().to_string().contains("expected 3"));
    let alone = Avatar::faces().size(16).take(2).unwrap();
    assert!(alone.motion(&[0], 10.0).unwrap_err().to_string().contains("key points"));
}

#[test]
fn stylegan_is_trained_kept_and_drawn_with() {
    let folder = tempfile::tempdir().unwrap();
    let data = Avatar::faces().size(16).take(24).unwrap();
    let gan = stylegan().build(&Device::Cpu).unwrap();
    let mut run = gan.train_with(&data, folder.path(), Options::default().device(&Device::Cpu)).unwrap();
    run.finish().unwrap();
    let gan = gan.ema();
    kept(&gan, folder.path(), |gan| gan.sample(3, seed(3)).unwrap());

    // psi 0 is the mean picture whatever the latent.
    let at = |psi: f64| gan.of_seeds(&[1, 2], Some(Truncation { psi, cutoff: None })).unwrap();
    let mean = gan.mean_picture().unwrap();
    let both = Tensor::cat(&[&mean.tensor, &mean.tensor], 0).unwrap();
    assert!(largest(&at(0.0).tensor, &both) < 1e-5);
    assert!(same(&at(1.0), &gan.of_seeds(&[1, 2], None).unwrap()));

    // Fresh noise differs from picture to picture, none does not.
    let twice = gan.styles(&gan.latents(&[1, 1]).unwrap(), None).unwrap();
    let differ = |mode: NoiseMode| {
        let made = gan.draw(&twice, mode).unwrap().tensor;
        largest(&made.narrow(0, 0, 1).unwrap(), &made.narrow(0, 1, 1).unwrap())
    };
    assert_eq!((differ(NoiseMode::Off), differ(NoiseMode::Const)), (0.0, 0.0));
    assert!(differ(NoiseMode::Random(Seed(1))) > 0.0);
}

/// specs/fullbody.md D.8.
#[test]
fn figures_have_the_papers_layouts() {
    let gan = stylegan().build(&Device::Cpu).unwrap();
    let (side, layers) = (16, 6);
    assert_eq!(gan.layers(), layers);

    let lods = [0, 1, 2, 2];
    let figure = gan.uncurated(3, &lods, 5, None).unwrap();
    assert_eq!(figure.size(), (3 * side, side + side / 2 + 2 * (side / 4)));
    // The first picture of the second column is the fourth of one draw, half as large.
    let z = seeds::one_draw(5, [3 + 6 + 12 + 12, 8], &Device::Cpu).unwrap();
    let fourth = gan.styles(&z.narrow(0, 3, 1).unwrap(), None).unwrap();
    let fourth = gan.draw(&fourth, NoiseMode::Const).unwrap().to_rgb().unwrap().remove(0);
    let small = tachie::image::imageops::resize(&fourth, 8, 8, tachie::image::imageops::FilterType::Lanczos3);
    let found = figure.to_rgb().unwrap().remove(0);
    let found = tachie::image::imageops::crop_imm(&found, 16, 0, 8, 8).to_image();
    assert_eq!(found, small);

    let mix = gan.style_mixing(&[639, 701], &[888, 829, 1898], &[0..4, 4..18], None).unwrap();
    assert_eq!(mix.len(), 3 * 4);
    assert!(gan.style_mixing(&[1], &[2], &[], None).is_err());
    assert_eq!(gan.truncation(&[91, 388], &[1.0, 0.7, 0.5, 0.0, -0.5, -1.0]).unwrap().len(), 12);
    assert_eq!(gan.noise_detail(&[1157]).unwrap().len(), 3);

    let components = gan.noise_components(&[1967, 1555]).unwrap();
    assert_eq!(components.size(), (2 * side, 2 * side));
    let styles = gan.styles(&gan.latents(&[1967]).unwrap(), None).unwrap();
    let plain = gan.draw(&styles, NoiseMode::Off).unwrap().to_rgb().unwrap().remove(0);
    let found = components.to_rgb().unwrap().remove(0);
    let right = tachie::image::imageops::crop_imm(&found, 8, 0, 8, 16).to_image();
    assert_eq!(right, tachie::image::imageops::crop_imm(&plain, 8, 0, 8, 16).to_image());
}
