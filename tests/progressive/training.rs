//! Runs that grow, and what they are configured by.

use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::dataset::Dataset;
use tachie::data::skeleton::Skeleton;
use tachie::models::baselines::progan::{self, Progan, ProganConfig};
use tachie::models::psgan::{self, Psgan, PsganConfig};
use tachie::models::stylegan::{self, ReportRun, Stylegan, StyleganConfig};
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::{GrowingShape, Level, Poses};
use tachie::rng::{Seed, seed};
use tachie::train::gan::Gan;
use tachie::train::history::Record;
use tachie::train::plan::{Growth, Reset};
use tachie::train::trainer::{Options, Trainer};

use crate::numbers;

pub(crate) fn posed(size: u32, n: usize) -> Dataset {
    super::posed::posed(size, n, Skeleton::new(&["left hand", "right hand", "head"]).unwrap(), false)
}

/// 4 px for 16 pictures, 8 px for 16 + 16, 16 px for 24 + 8, at minibatches of 4, 5 and 2.
pub(crate) fn growth() -> Growth {
    let mut growth = Growth::psgan(16);
    for (phase, (fade, stable, batch)) in growth.phases.iter_mut().zip([(0, 16, 4), (16, 16, 5), (24, 8, 2)]) {
        (phase.fade, phase.stable, phase.batch) = (fade, stable, batch);
    }
    growth
}

pub(crate) fn network() -> GrowingShape {
    GrowingShape { resolution: 16, latent: 8, base: 64, max: 8, ..GrowingShape::default() }
}

/// Trains through two fades, and returns the trainer and its history; stopped at their ends and in their middle, it goes on as if nothing had been.
pub(crate) fn resumes_bit_for_bit<G: Gan>(config: &G::Config, data: &Dataset) -> (Trainer, Vec<Record>) {
    let open = |folder: &std::path::Path| {
        let options = Options::default().device(&Device::Cpu).seed(seed(4));
        Trainer::open::<G>(config, data, folder, options).unwrap()
    };
    let (once, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut whole = open(once.path());
    whole.steps(24).unwrap();
    let records = whole.history().unwrap().records().to_vec();
    // Steps 1-4 at 4 px, 5-8 fade at 8 px, 9-11 there, 12-23 fade at 16 px.
    let fading: Vec<bool> = records.iter().map(|record| record.alpha < 1.0).collect();
    assert!(fading[4] && fading[7] && !fading[9] && fading[12] && fading[16] && !fading[23], "{fading:?}");
    for cut in [4, 6, 17] {
        let folder = parts.path().join(cut.to_string());
        open(&folder).steps(cut).unwrap();
        let mut rest = open(&folder);
        assert_eq!(rest.steps_done(), cut);
        rest.steps(24 - cut).unwrap();
        let (a, b) = (whole.networks(), rest.networks());
        for (a, b) in [(a.params, b.params), (a.average, b.average)] {
            for (name, tensor) in a.tensors() {
                assert_eq!(numbers(&tensor), numbers(&b.tensors()[&name]), "after {cut} steps: {name}");
            }
        }
    }
    assert_eq!(whole.preview().unwrap().tensor.dims(), [16, 3, 16, 16]);
    (whole, records)
}

#[test]
fn psgan_is_resumed_in_the_middle_of_a_fade() {
    assert_eq!(growth().reset, Reset::Fades);
    let terms = PsganConfig { mismatch: 0.5, identity: 0.5, diversity: 0.5, twos: false, ..Psgan::tiny() };
    let config = PsganConfig { network: network(), growth: growth(), ..terms }.keypoints(3);
    let (run, _) = resumes_bit_for_bit::<psgan::Adversaries>(&config, &posed(16, 20));
    // Previews show the poses of the first minibatch, as shares of the side.
    let shown = numbers(&run.networks().params.tensors()["g.preview_points"]);
    assert!(shown.iter().all(|value| (0.0..=1.0).contains(value)) && shown.iter().any(|value| *value > 0.0));
    let faces = Avatar::faces().size(16).take(20).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let message = Trainer::open::<psgan::Adversaries>(&config, &faces, folder.path(), Options::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("key points of avatar faces") && message.contains("expected 3"), "{message}");
}

/// Both players want latent vectors to be read off pictures (specs/fullbody.md B.5-15): the term moves the head that
/// reads, and with it the generator. Without it there is no such head.
#[test]
fn characters_are_to_be_told_from_their_pictures() {
    let terms = PsganConfig { identity: 1.0, mismatch: 0.0, twos: false, ..Psgan::tiny() };
    let config = PsganConfig { network: network(), growth: growth(), ..terms }.keypoints(3);
    let heads = |config: &PsganConfig| {
        let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
        psgan::Adversaries::new(config, &params.view(Training::Nothing)).unwrap();
        params.names().into_iter().filter(|name| name.starts_with("d.blocks.4.reader.")).count()
    };
    assert_eq!(heads(&config), 2);
    assert_eq!(heads(&PsganConfig { identity: 0.0, ..config.clone() }), 0);
    let folder = tempfile::tempdir().unwrap();
    let data = posed(16, 20);
    let mut run = Trainer::open::<psgan::Adversaries>(&config, &data, folder.path(), Options::default()).unwrap();
    let head = |run: &Trainer| numbers(&run.networks().params.tensors()["d.blocks.4.reader.weight"]);
    let before = head(&run);
    run.steps(3).unwrap();
    assert!(head(&run).iter().zip(&before).any(|(a, b)| (a - b).abs() > 1e-4), "the head learns");
    for record in run.history().unwrap().records() {
        for name in ["generator/identity", "discriminator/identity"] {
            assert!((0.1..10.0).contains(&record.losses[name]), "{name}: {}", record.losses[name]);
        }
    }
}

/// Pictures in twos (specs/fullbody.md B.5-15): each is judged beside the other of its character, so that what one player
/// learns of a picture depends on its partner. They are drawn of single pictures, unless nobody is shown twice.
#[test]
fn characters_are_judged_in_twos() {
    let config = PsganConfig { network: network(), growth: growth(), twos: true, ..Psgan::tiny() }.keypoints(3);
    assert_eq!(toml::from_str::<PsganConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    let people = posed(16, 20);
    let pairs = |n| people.pairs(n, Seed(7), |key| format!("{}", key.len() % 2)).unwrap();
    resumes_bit_for_bit::<psgan::Adversaries>(&config, &pairs(20));

    let model = config.clone().build_with(&Device::Cpu, Seed(0)).unwrap();
    let networks = model.networks().unwrap();
    let (pictures, poses) = (people.images(4).unwrap().tensor, people.poses(&[0, 1, 2, 3]).unwrap());
    let score = |order: [u32; 4]| {
        let order = Tensor::new(&order, &Device::Cpu).unwrap();
        let pick = |of: &Tensor| of.index_select(&order, 0).unwrap();
        let poses = Poses::of_shares(&pick(&poses), 16).unwrap();
        let level = Level::full(16);
        numbers(&networks.discriminator().forward(&pick(&pictures), Some(&poses), level).unwrap())
    };
    let (first, swapped, others) = (score([0, 1, 2, 3]), score([2, 3, 0, 1]), score([0, 1, 3, 2]));
    assert_eq!([first[0], first[1]], [swapped[2], swapped[3]], "the deviation is of the whole minibatch");
    assert!((first[0] - others[0]).abs() > 1e-6, "another partner, another score");
    let odd = Poses::of_shares(&people.poses(&[0, 1, 2]).unwrap(), 16).unwrap();
    let three = pictures.narrow(0, 0, 3).unwrap();
    assert!(networks.discriminator().forward(&three, Some(&odd), Level::full(16)).is_err());

    let folder = tempfile::tempdir().unwrap();
    let bodies = Avatar::bodies().size(16).costumes(2).poses(8).dataset().unwrap().train();
    let twenty = config.clone().keypoints(20);
    let mut run = Trainer::open::<psgan::Adversaries>(&twenty, &bodies, folder.path(), Options::default()).unwrap();
    run.steps(2).unwrap();
    drop(run);
    let folder = tempfile::tempdir().unwrap();
    let message = Trainer::open::<psgan::Adversaries>(&config, &people, folder.path(), Options::default())
        .unwrap_err()
        .to_string();
    assert!(message.contains("nobody is shown twice") && message.contains("twos"), "{message}");
}

/// Two latent vectors in one pose are to make pictures that differ: the generator hears of it, and of nothing else that is new.
#[test]
fn characters_are_kept_apart() {
    let config = PsganConfig { network: network(), growth: growth(), twos: false, ..Psgan::tiny() }.keypoints(3);
    let data = posed(16, 20);
    let first = |diversity: f64| {
        let folder = tempfile::tempdir().unwrap();
        let config = PsganConfig { diversity, spread: 2.0, ..config.clone() };
        let mut run = Trainer::open::<psgan::Adversaries>(&config, &data, folder.path(), Options::default()).unwrap();
        run.steps(1).unwrap();
        run.history().unwrap().records()[0].losses.clone()
    };
    let (without, with) = (first(0.0), first(3.0));
    assert!(!without.contains_key("generator/diversity"));
    let lacks = with["generator/diversity"];
    assert!(lacks > 0.5 && lacks < 1.0, "untrained networks make pictures that differ a little: {lacks}");
    let total = with["generator/total"] - without["generator/total"];
    assert!((total - 3.0 * lacks).abs() < 1e-5, "{total}");
    for (name, value) in without.iter().filter(|(name, _)| name.as_str() != "generator/total") {
        assert_eq!(*value, with[name], "{name}");
    }
}

/// Classes are joined to latents and read off pictures (specs/fullbody.md A.2): both players learn from the reading, and
/// finished models draw the class they are asked for.
#[test]
fn classes_of_progressive_gan() {
    let faces = Avatar::faces().size(16).take(20).unwrap();
    let plain = ProganConfig { network: network(), growth: growth(), ..Progan::tiny() };
    let config = plain.clone().labelled(faces.tags(), "hair colour").unwrap();
    assert_eq!(toml::from_str::<ProganConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    let (run, records) = resumes_bit_for_bit::<progan::Adversaries>(&config, &faces);
    for name in ["generator/class", "discriminator/class_real", "discriminator/class_fake"] {
        // Of 13 colours nothing is known at first: log 13 = 2.56.
        assert!((1.0..5.0).contains(&records[0].losses[name]), "{name}: {}", records[0].losses[name]);
    }
    let count = |name: &str, run: &Trainer| run.networks().params.tensors()[name].dims()[1];
    assert_eq!(count("g.blocks.4.dense.weight", &run), network().latent + 13);
    let model = config.clone().build_with(&Device::Cpu, Seed(0)).unwrap();
    let z = model.latents(&[1, 2]).unwrap();
    let of = |class: &str| numbers(&model.draw_class(&z, class).unwrap().tensor);
    assert_eq!(of("green hair"), of("green hair"));
    assert_ne!(of("green hair"), of("red hair"));
    let message = model.draw_class(&z, "no hair").unwrap_err().to_string();
    assert!(message.contains("no hair") && message.contains("green hair"), "{message}");
    let message = plain.build(&Device::Cpu).unwrap().draw_class(&z, "green hair").unwrap_err().to_string();
    assert!(message.contains("labelled"), "{message}");
    let folder = tempfile::tempdir().unwrap();
    let others = faces.labelled_by("number", |key| format!("number {key}")).unwrap();
    let wrong = Trainer::open::<progan::Adversaries>(&config, &others, folder.path(), Options::default());
    assert!(wrong.unwrap_err().to_string().contains("tags of"));
}

#[test]
fn stylegan_is_resumed_in_the_middle_of_a_fade() {
    let config = StyleganConfig {
        network: network(),
        growth: growth(),
        group: tachie::nn::progressive::Group::Whole,
        ..Stylegan::tiny()
    };
    let (run, _) = resumes_bit_for_bit::<stylegan::Adversaries>(&config, &posed(16, 20));
    let mean = numbers(&run.networks().params.tensors()["g.w_mean"]);
    assert!(mean.iter().any(|value| *value != 0.0), "the mean of styles has followed them");
}

#[test]
fn configurations_survive_toml_and_bad_ones_are_refused() {
    for config in [Progan::paper(), Progan::tiny(), Progan::beside_psgan()] {
        config.check().unwrap();
        assert_eq!(toml::from_str::<ProganConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
    for config in [Psgan::paper(), Psgan::tiny(), Psgan::deepfashion().half_life(10_000.0)] {
        config.check().unwrap();
        assert_eq!(toml::from_str::<PsganConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
    let refused = |config: PsganConfig, word: &str| {
        let message = config.check().unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    refused(Psgan::tiny().keypoints(0), "Progressive GAN");
    refused(PsganConfig { growth: Growth::psgan(64), ..Psgan::tiny() }, "64 px");
    refused(PsganConfig { mismatch: f64::NAN, ..Psgan::tiny() }, "NaN");
    refused(PsganConfig { identity: -1.0, ..Psgan::tiny() }, "identity");
    refused(PsganConfig { diversity: -1.0, ..Psgan::tiny() }, "diversity");
    refused(PsganConfig { spread: 0.0, ..Psgan::tiny() }, "difference of two characters");
    refused(PsganConfig { amplitude: -1.0, ground: -1.0, ..Psgan::tiny() }, "amplitude");
    refused(PsganConfig { margin: 0.0, ..Psgan::tiny() }, "margin of mismatched poses");
    refused(PsganConfig { spread: f64::NAN, ..Psgan::tiny() }, "difference of two characters");
    for config in [Stylegan::paper(), Stylegan::tiny(), Stylegan::ffhq()] {
        config.check().unwrap();
        assert_eq!(toml::from_str::<StyleganConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
    assert!(StyleganConfig { mixing: 1.5, ..Stylegan::tiny() }.check().is_err());
}

/// specs/fullbody.md D.7: iterations at 256 px of the five runs of the report.
#[test]
fn the_runs_of_the_report_are_as_long_as_it_says() {
    use ReportRun::{AtOnce, Bodies, Faces, MoreBodies, OneGpu};
    let last = |run| *Stylegan::report(run).growth.iterations().last().unwrap();
    assert_eq!([Bodies, AtOnce, Faces, MoreBodies].map(last), [236_875, 9_190_000, 352_500, 570_000]);
    assert_eq!(last(OneGpu), 3_790_000 / 8);
    for run in [OneGpu, Bodies, AtOnce, Faces, MoreBodies] {
        Stylegan::report(run).check().unwrap();
    }
}
