//! Parameter counts of the paper and the published weights, and one step against PyTorch.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};

use super::*;
use crate::data::batch::Batch;
use crate::losses::penalty::{Penalty, gradient_penalty};
use crate::models::baselines::dcgan::{Dcgan, DcganConfig};
use crate::models::model::about;
use crate::nn::norm::Mode;
use crate::nn::params::{ParamStore, Training};
use crate::rng::Seed;
use crate::train::gan::{Gan, Networks, Player, Step};
use crate::train::plan::Position;
use crate::weights::safetensors;

fn counts(config: MakeGirlsConfig) -> (usize, usize) {
    let params = Networks::new::<Adversaries>(&config, Seed(0), &Device::Cpu).unwrap().params;
    (params.count("g"), params.count("d"))
}

fn stored(config: MakeGirlsConfig) -> usize {
    let params = Networks::new::<Adversaries>(&config, Seed(0), &Device::Cpu).unwrap().params;
    let generator = params.tensors().into_iter().filter(|(name, _)| name.starts_with("g."));
    generator.map(|(_, tensor)| tensor.elem_count()).sum()
}

/// specs/faces.md A.3 and A.4, read out of the published weights and the official figure.
#[test]
fn parameter_counts_of_the_paper() {
    assert_eq!(counts(MakeGirls::paper()), (4_385_283, 19_078_531));
    assert_eq!(counts(MakeGirls::paper().discriminator(DiscriminatorConfig::all_4x4())), (4_385_283, 23_895_427));
    assert_eq!(stored(MakeGirls::paper()), 4_422_659);
    assert_eq!(stored(MakeGirlsConfig::site_256()), 4_146_435);
    // One more label is one more input of the dense layer and one more answer of the discriminator.
    assert_eq!(counts(MakeGirls::paper().year().unwrap()), (4_385_283 + 16_384, 19_078_531 + 4_097));
}

#[test]
fn dcgan_has_about_three_times_the_parameters() {
    let (generator, discriminator) = counts(Dcgan::paper());
    assert_eq!((generator, discriminator), (13_819_715, 19_078_531));
    assert_eq!((DcganConfig::at_64().size(), DcganConfig::at_128().size()), (64, 128));
}

fn fixture() -> BTreeMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/make_girls/step.safetensors");
    safetensors::read(path).unwrap().tensors
}

fn small() -> MakeGirlsConfig {
    let generator =
        SrResNetConfig { base: 2, channels: 4, blocks: 2, doublings: 1, output_kernel: 5, ..SrResNetConfig::default() };
    let discriminator = DiscriminatorConfig::of(&[(4, 4, 1), (6, 3, 0)]);
    MakeGirlsConfig { latent: 4, ..MakeGirls::paper().generator(generator).discriminator(discriminator) }
}

fn close(name: &str, found: &Tensor, wanted: &Tensor) {
    assert_eq!(found.dims(), wanted.dims(), "{name}");
    let difference = (found - wanted).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
    let size = wanted.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
    assert!(difference <= 1e-9 * (1.0 + size), "{name}: {difference} of {size}");
}

fn player(store: &ParamStore, player: Player) -> Adversaries {
    Adversaries::new(&small(), &store.view(Training::Prefix(player.prefix().into()))).unwrap()
}

fn check_gradients(store: &ParamStore, total: &Tensor, who: Player, prefix: &str, fixture: &BTreeMap<String, Tensor>) {
    let gradients = crate::autograd::backward(total).unwrap();
    for (name, var) in store.trainable(who.prefix()) {
        let Some(wanted) = fixture.get(&format!("{prefix}.{name}")) else { continue };
        let zero = var.zeros_like().unwrap();
        close(&name, gradients.get(&var).unwrap_or(&zero), wanted);
    }
}

/// tests/fixtures/make_girls/make.py: networks, losses and gradients written in PyTorch, in double precision.
#[test]
fn one_step_equals_pytorch() {
    let fixture = fixture();
    let store = ParamStore::new(Seed(0), &Device::Cpu, DType::F64).unwrap();
    Adversaries::new(&small(), &store.view(Training::All)).unwrap();
    let weights = fixture.iter().filter(|(name, _)| name.starts_with("g.") || name.starts_with("d."));
    store.load(&weights.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()).unwrap();
    let (generator, discriminator) = (player(&store, Player::Generator), player(&store, Player::Discriminator));

    let draw = |mode| generator.generator().forward(&fixture["in.z"], &fixture["in.asked"], mode).unwrap();
    close("picture in evaluation", &draw(Mode::Eval), &fixture["out.eval"]);
    let made = draw(Mode::Train);
    close("picture in training", &made, &fixture["made"]);
    for (name, tensor) in store.tensors().iter().filter(|(name, _)| name.contains("running")) {
        close(name, tensor, &fixture[&format!("after.{name}")]);
    }

    let mut step = Step::new(1, Seed(0), Position::default());
    step.put("made", made);
    step.put("asked", fixture["in.asked"].clone());
    let labels = Some(fixture["in.labels"].clone());
    let batch = Batch { labels, ..Batch::of(fixture["in.images"].clone()) };
    for (network, who) in [(&discriminator, Player::Discriminator), (&generator, Player::Generator)] {
        let losses = network.loss(who, &batch, &mut step).unwrap();
        let mut total: Option<Tensor> = None;
        // The penalty is taken at random points, and compared below at given ones.
        for term in losses.terms().iter().filter(|term| term.name != "gp") {
            close(&term.name, &term.value, &fixture[&format!("loss.{}", term.name)]);
            let weighted = (&term.value * term.weight).unwrap();
            total = Some(total.map_or_else(|| weighted.clone(), |sum| (sum + &weighted).unwrap()));
        }
        check_gradients(&store, &total.unwrap(), who, "grad", &fixture);
    }

    let points = Var::from_tensor(&fixture["in.points"]).unwrap();
    let penalty = Penalty::Norm { target: 1.0 };
    let penalty = gradient_penalty(discriminator.discriminator(), &points, penalty).unwrap();
    close("penalty", &penalty, &fixture["gp"]);
    check_gradients(&store, &penalty, Player::Discriminator, "grad.gp", &fixture);
}

#[test]
fn the_penalty_enters_with_its_weight() {
    let store = ParamStore::new(Seed(0), &Device::Cpu, DType::F32).unwrap();
    let gan = Adversaries::new(&small(), &store.view(Training::All)).unwrap();
    let images = Seed(1).stream("images").uniform_tensor(&[3, 3, 4, 4], &Device::Cpu).unwrap();
    let labels = Some(Tensor::zeros((3, 34), DType::F32, &Device::Cpu).unwrap());
    let batch = Batch { labels, ..Batch::of(images) };
    let mut step = Step::new(1, Seed(0), Position::default());
    assert!(gan.loss(Player::Discriminator, &batch, &mut step).is_err(), "share comes first");
    gan.share(&batch, &mut step).unwrap();
    let losses = gan.loss(Player::Discriminator, &batch, &mut step).unwrap();
    let weights: Vec<_> = losses.terms().iter().map(|term| (term.name.as_str(), term.weight)).collect();
    assert_eq!(weights, [("adv_real", 34.0), ("adv_fake", 34.0), ("cls_real", 1.0), ("cls_fake", 1.0), ("gp", 0.5)]);
    let unlabelled = Batch { labels: None, ..batch };
    let message = gan.loss(Player::Discriminator, &unlabelled, &mut step).unwrap_err().to_string();
    assert!(message.contains("34 labels"), "{message}");
}

#[test]
fn red_and_blue_change_places_and_back() {
    let images = Tensor::new(&[[[[1f32]], [[2.0]], [[3.0]]]], &Device::Cpu).unwrap();
    let swapped = Planes::Bgr.swap(&images).unwrap();
    assert_eq!(swapped.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [3.0, 2.0, 1.0]);
    let back = Planes::Bgr.swap(&swapped).unwrap();
    assert_eq!(back.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [1.0, 2.0, 3.0]);
}

#[test]
fn a_saved_model_draws_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = small().build_with(&Device::Cpu, Seed(3)).unwrap();
    model.save(&path).unwrap();
    let read = MakeGirls::open(&path, &Device::Cpu).unwrap();
    assert_eq!(read.config(), model.config());
    let draw = |model: &MakeGirls| model.sample_random(2, Seed(1)).unwrap().tensor.flatten_all().unwrap();
    assert_eq!(draw(&model).to_vec1::<f32>().unwrap(), draw(&read).to_vec1::<f32>().unwrap());
    assert_eq!(read.parameters(), model.parameters());
}

#[test]
fn weights_of_something_else_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = small().build(&Device::Cpu).unwrap();
    let about = about::<Adversaries>(model.config(), None).unwrap();
    let refused = |tensors: &BTreeMap<String, Tensor>, about: &str, words: &[&str]| {
        safetensors::write(&path, tensors, about).unwrap();
        let message = MakeGirls::open(&path, &Device::Cpu).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    let whole = model.params().tensors();
    refused(&whole, "nothing", &["metadata"]);
    refused(&whole, &about.replace("make-girls", "psgan"), &["weights of psgan"]);
    let mut tensors = whole.clone();
    tensors.remove("g.dense.weight");
    tensors.insert("g.more".into(), tensors["g.dense.bias"].clone());
    refused(&tensors, &about, &["g.dense.weight is missing", "g.more is not part"]);
    let mut tensors = whole.clone();
    tensors.insert("g.dense.bias".into(), Tensor::full(f32::NAN, 16, &Device::Cpu).unwrap());
    refused(&tensors, &about, &["NaN", "g.dense.bias"]);
    // The generator alone is what was published.
    let generator: BTreeMap<_, _> = whole.into_iter().filter(|(name, _)| name.starts_with("g.")).collect();
    safetensors::write(&path, &generator, &about).unwrap();
    MakeGirls::open(&path, &Device::Cpu).unwrap();
}

#[test]
fn numbers_that_make_no_network_are_refused() {
    let refused = |config: MakeGirlsConfig, word: &str| {
        let message = config.build(&Device::Cpu).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    refused(MakeGirlsConfig { latent: 0, ..small() }, "latent");
    refused(small().discriminator(DiscriminatorConfig::of(&[])), "discriminator");
    refused(small().discriminator(DiscriminatorConfig::of(&[(4, 4, 0), (4, 4, 0), (4, 4, 0)])), "3 stages for 4 px");
    refused(small().discriminator(DiscriminatorConfig::of(&[(4, 5, 0)])), "kernel 3 or 4");
    refused(small().batch(0), "batch 0");
    refused(small().generator(SrResNetConfig { doublings: 40, ..SrResNetConfig::default() }), "px");
    refused(small().objective(ObjectiveConfig { lambda_gp: -1.0, ..ObjectiveConfig::default() }), "lambda_gp");
    refused(small().learning_rate(f64::NAN), "learning rate");
}

/// A run folder compares its configuration with the one asked for, so a number must come back bit for bit.
#[test]
fn a_configuration_survives_its_file() {
    let mut stream = Seed(5).stream("configuration");
    for _ in 0..500 {
        let mut config = MakeGirlsConfig::tiny();
        config.schedule.generator_rate = stream.uniform() * 1e-3;
        config.objective.lambda_gp = stream.uniform() * 10.0;
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<MakeGirlsConfig>(&text).unwrap(), config, "{text}");
    }
}
