//! Models that edit attributes: counts of specs/faces.md, losses and gradients of PyTorch (tests/fixtures/editing/make.py),
//! and what a finished model makes of pictures and labels.

#[path = "common/golden.rs"]
mod golden;

use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::{Batch, Images};
use tachie::data::changes::Changes;
use tachie::data::prepare::faces::FaceSquare;
use tachie::data::tags::{Labels, TagSet};
use tachie::image::{self, Rgb, RgbImage};
use tachie::metrics::evaluate::{Evaluation, Metric};
use tachie::models::animegan::{
    self, Adversarial, Animegan, EditorConfig, GeneratorConfig, JudgeConfig, Mixture, ObjectiveConfig, Paper, State,
    TransferConfig,
};
use tachie::models::baselines::attgan::Attgan;
use tachie::models::baselines::fadernet::{self, Fadernet, FadernetConfig};
use tachie::models::baselines::icgan::{self, Icgan, IcganConfig};
use tachie::models::baselines::stargan::{self, Stargan, StarganConfig};
use tachie::models::baselines::stgan::Stgan;
use tachie::models::editing::{Coding, Editing, Fall, Masks, Protocol, Study};
use tachie::models::model::Model;
use tachie::models::study::Length;
use tachie::nn::params::{ParamStore, Training};
use tachie::train::gan::{Gan, Player};
use tachie::train::plan::{Mark, Position};

use golden::{Golden, filled, numbers};

fn labels(n: usize) -> TagSet {
    TagSet::from_names(&(0..n).map(|i| format!("label {i}")).collect::<Vec<_>>()).unwrap()
}

fn counts<G: Gan>(config: &G::Config) -> [usize; 4] {
    let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
    G::new(config, &params.view(Training::Nothing)).unwrap();
    ["g", "d", "c", "e"].map(|prefix| params.count(prefix))
}

fn family<P: Paper>(config: EditorConfig<P>, n: usize) -> [usize; 4] {
    counts::<animegan::Adversaries<P>>(&config.tags(&labels(n)))
}

/// specs/faces.md C.2, C.3 and D print millions; with 34 labels the catalogue has the exact numbers.
#[test]
fn counts_of_the_tables() {
    let millions = |count: usize, digits: u32| {
        let unit = 1_000_000 / 10usize.pow(digits);
        (count + unit / 2) / unit
    };
    let [encoder, transfer, decoder] = {
        let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
        animegan::Adversaries::new(&Stgan::paper(), &params.view(Training::Nothing)).unwrap();
        ["g.encoder", "g.transfer", "g.decoder"].map(|prefix| millions(params.count(prefix), 2))
    };
    assert_eq!([encoder, transfer, decoder], [1115, 3047, 3435]);
    let stgan = family(Stgan::paper(), 13);
    assert_eq!([millions(stgan[0], 1), millions(stgan[1], 2)], [750, 4472]);
    let [generator, judge, classifier, _] = family(Animegan::paper(), 13);
    assert_eq!(millions(generator, 1), 861);
    assert_eq!(generator - stgan[0], 11_146_176, "gates with biases and without norms");
    // Two trunks with a head each in place of one with both.
    assert_eq!(judge + classifier - stgan[1], 11_148_160);
    // The paper's mixture and the states that are passed have no weights of their own.
    let config = Animegan::paper();
    let unit = TransferConfig { mixture: Mixture::Paper, state: State::Gru, kernel: 3 };
    let text =
        EditorConfig { generator: GeneratorConfig { transfer: Some(unit), ..config.generator.clone() }, ..config };
    assert_eq!(family(text, 13)[0], generator);
    let attgan = family(Attgan::paper(), 13);
    assert_eq!([millions(attgan[0], 2), millions(attgan[1], 2)], [4346, 4472]);
    let stargan = counts::<stargan::Adversaries>(&Stargan::paper().tags(&labels(5)));
    assert_eq!([millions(stargan[0], 2), millions(stargan[1], 2)], [843, 4476]);
    let fadernet = counts::<fadernet::Adversaries>(&Fadernet::paper().tags(&labels(1)));
    assert_eq!([millions(fadernet[0], 1), millions(fadernet[1], 2)], [140, 446]);
    let icgan = |config: IcganConfig| counts::<icgan::Adversaries>(&config.tags(&labels(18)));
    let [generator, judge, classifier, encoder] = icgan(Icgan::paper());
    assert_eq!([generator, judge, classifier].map(|count| millions(count, 2)), [373, 280, 319]);
    assert_eq!(millions(encoder, 1), 183);
    let [generator, judge, _, encoder] = icgan(Icgan::at_128());
    assert_eq!([generator, judge].map(|count| millions(count, 1)), [131, 112]);
    let published = icgan(IcganConfig { hidden: 16_384, ..Icgan::at_128() })[3];
    assert!(millions(published, 0) == 271 && millions(encoder, 0) == 10, "{encoder}");
}

fn batch() -> Batch {
    let shown = [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]];
    let labels = Some(Tensor::new(&shown, &Device::Cpu).unwrap());
    Batch { labels, ..Batch::of(filled(&[3, 3, 32, 32], 0.3, 1.0)) }
}

fn compare<G: Gan>(case: &str, config: &G::Config) {
    let position = Position { stage: 0, resolution: 32, batch: 3, alpha: 1.0 };
    Golden::open("editing").compare::<G>(case, config, &batch(), position, false);
}

/// Of 32 px, three layers and two channels.
fn small<P: Paper>(config: EditorConfig<P>) -> EditorConfig<P> {
    let most = |n: usize| n.min(2);
    EditorConfig {
        resolution: 32,
        generator: GeneratorConfig {
            layers: 3,
            channels: 2,
            skips: most(config.generator.skips),
            injections: most(config.generator.injections),
            ..config.generator
        },
        judge: JudgeConfig { layers: 3, channels: 2, hidden: 3, ..config.judge },
        tags: labels(3),
        ..config
    }
}

fn variant<P: Paper>(
    config: EditorConfig<P>,
    (mixture, state): (Mixture, State),
    adversarial: Adversarial,
    penalty: f64,
    separate_classifier: bool,
) -> EditorConfig<P> {
    let transfer = Some(TransferConfig { mixture, state, kernel: 3 });
    EditorConfig {
        generator: GeneratorConfig { transfer, ..config.generator },
        judge: JudgeConfig { separate_classifier, ..config.judge },
        objective: ObjectiveConfig { adversarial, penalty, ..config.objective },
        ..config
    }
}

fn compare_family<P: Paper>(case: &str, config: EditorConfig<P>) {
    compare::<animegan::Adversaries<P>>(case, &small(config));
}

#[test]
fn animegan_and_its_switches_are_pytorchs() {
    compare_family("animegan", Animegan::paper());
    let paper = |state| (Mixture::Paper, state);
    let squares = variant(Animegan::paper(), paper(State::Gru), Adversarial::LeastSquares, 10.0, false);
    compare_family("animegan squares", squares);
    let penalty = variant(Animegan::paper(), paper(State::Stu), Adversarial::Vanilla, 10.0, true);
    compare_family("animegan penalty", penalty);
}

#[test]
fn stgan_and_attgan_are_pytorchs() {
    compare_family("stgan", Stgan::paper());
    let direct = (Mixture::Official, State::Direct);
    compare_family("stgan direct", variant(Stgan::paper(), direct, Adversarial::Wasserstein, 10.0, false));
    compare_family("attgan", Attgan::paper());
    compare_family("attgan port", Attgan::port());
}

#[test]
fn stargan_is_pytorchs() {
    let small = StarganConfig {
        resolution: 32,
        channels: 2,
        blocks: 2,
        judge_channels: 2,
        tags: labels(3),
        ..Stargan::paper()
    };
    compare::<stargan::Adversaries>("stargan", &small);
}

#[test]
fn fader_networks_are_pytorchs() {
    let small = FadernetConfig {
        resolution: 32,
        layers: 3,
        channels: 2,
        most: 4,
        hidden: 3,
        ramp: 10,
        tags: labels(3),
        ..Fadernet::paper()
    };
    compare::<fadernet::Adversaries>("fadernet", &small);
}

#[test]
fn icgan_is_pytorchs() {
    let small = IcganConfig {
        resolution: 32,
        latent: 5,
        channels: 2,
        encoder_channels: 2,
        hidden: 6,
        label_hidden: 6,
        tags: labels(3),
        ..Icgan::paper()
    };
    compare::<icgan::Adversaries>("icgan", &small);
}

/// specs/faces.md C.4 and D: rates, players and lengths.
#[test]
fn schedules_of_the_tables() {
    let moves = |plan: &tachie::train::plan::Plan| -> Vec<u32> { plan.order.iter().map(|turn| turn.times).collect() };
    let animegan = animegan::Adversaries::plan(&Animegan::paper());
    assert_eq!(moves(&animegan), [5, 5, 1], "discriminator, classifier, generator");
    let attgan = Attgan::paper().schedule;
    assert_eq!((attgan.epochs, attgan.full, attgan.fall, attgan.steps), (60, 30, Fall::Line, 1_137));
    assert_eq!((Attgan::paper().generator.coding, Attgan::port().generator.coding), (Coding::Signs, Coding::Halves));
    let stargan = stargan::Adversaries::plan(&Stargan::paper());
    assert_eq!((moves(&stargan), stargan.stages.last().unwrap().until), (vec![5, 1], Mark::Steps(40_000)));
    assert_eq!((stargan.stages[0].until, stargan.stages[0].rate), (Mark::Steps(20_000), 1e-4));
    let fadernet = fadernet::Adversaries::plan(&Fadernet::paper());
    assert_eq!((moves(&fadernet), fadernet.clip), (vec![1, 1], Some(5.0)));
    let icgan = icgan::Adversaries::plan(&Icgan::paper());
    assert_eq!((icgan.movers(0, 0), icgan.movers(1, 0)), {
        let drawing = vec![Player::Discriminator, Player::Generator];
        (drawing, vec![Player::Encoder, Player::Classifier])
    });
    let beta = |who| icgan.adam_of(who).beta1;
    assert_eq!([beta(Player::Generator), beta(Player::Encoder), beta(Player::Classifier)], [0.5, 0.1, 0.1]);
    assert_eq!(icgan.stages.iter().map(|stage| stage.rate).collect::<Vec<_>>(), [2e-4, 1e-4]);
}

/// What every editor does with pictures and labels that fit, and with others.
fn edits<G: Editing>(model: Model<G>) {
    let faces = Avatar::faces().size(G::side(model.config()) as u32).take(3).unwrap();
    let pictures = faces.images(3).unwrap().without_captions();
    let shown: Vec<Labels> = (0..3).map(|i| faces.labels(i).unwrap()).collect();
    let asked: Vec<Labels> = shown.iter().map(|labels| labels.clone().flipped("glasses").unwrap()).collect();
    let edit = |strength: Option<f64>| numbers(&model.edit(&pictures, &shown, &asked, strength).unwrap().tensor);
    let kept = numbers(&model.reconstruct(&pictures, &shown).unwrap().tensor);
    let away = |a: &[f64]| a.iter().zip(&kept).map(|(a, b)| (a - b).abs()).sum::<f64>();
    assert!(kept.iter().all(|v| v.abs() <= 1.0));
    let of = [0.5, 1.0, 3.0].map(|strength| away(&edit(Some(strength))));
    assert!(of[0] > 0.0 && of[0] < of[1] && of[1] < of[2], "{}: {of:?}", G::NAME);
    assert_eq!(edit(None), edit(Some(G::strength(model.config()))));
    let refused = |pictures: &Images, from: &[Labels], to: &[Labels], strength: f64| {
        model.edit(pictures, from, to, strength).unwrap_err().to_string()
    };
    assert!(refused(&pictures, &shown[..2], &asked, 1.0).contains("one a picture"));
    let others = vec![TagSet::make_girls_256().labels(); 3];
    assert!(refused(&pictures, &shown, &others, 1.0).contains("labels that are asked for"));
    assert!(refused(&pictures, &shown, &asked, f64::NAN).contains("strength"));
    let small = Images::new(Tensor::zeros((3, 3, 8, 8), DType::F32, &Device::Cpu).unwrap()).unwrap();
    assert!(refused(&small, &shown, &asked, 1.0).contains("8 × 8"));
}

#[test]
fn pictures_are_edited_by_labels() {
    let device = Device::Cpu;
    edits(Animegan::tiny().build(&device).unwrap());
    edits(Stgan::tiny().build(&device).unwrap());
    edits(Attgan::tiny().build(&device).unwrap());
    edits(Stargan::tiny().build(&device).unwrap());
    edits(Fadernet::tiny().build(&device).unwrap());
    edits(Icgan::tiny().build(&device).unwrap());
}

/// A face anywhere in a large picture, named labels or those that the tagger reads; what is outside of the square stays.
#[test]
fn a_face_of_a_large_picture_is_edited() {
    let face = Avatar::faces().size(100).image(3).unwrap();
    let mut picture = RgbImage::from_pixel(700, 300, Rgb([40, 90, 30]));
    image::imageops::replace(&mut picture, &face, 500, 120);
    let model = Attgan::tiny().build(&Device::Cpu).unwrap();
    let square = FaceSquare { left: 500, top: 120, side: 100 };
    let edited = model.edit_face(&picture, square, None, "hair=purple, -blush", Some(3.0)).unwrap();
    assert_eq!(edited.asked.get("purple hair").unwrap(), 1.0);
    assert_eq!(edited.shown.on().iter().filter(|name| name.ends_with("hair")).count(), {
        let truth = Avatar::faces().size(100).take(4).unwrap().labels(3).unwrap();
        truth.on().iter().filter(|name| name.ends_with("hair")).count()
    });
    let changed = |x: u32, y: u32| edited.picture.get_pixel(x, y) != picture.get_pixel(x, y);
    assert!((0..700).all(|x| (0..300).all(|y| !changed(x, y) || (500..600).contains(&x) && (120..220).contains(&y))));
    assert!((500..600).any(|x| (120..220).any(|y| changed(x, y))));
    assert!(edited.face.iter().all(|face| face.dimensions() == (64, 64)));
    let beside = edited.beside(&picture).unwrap();
    assert_eq!((beside.len(), beside.size()), (2, (219, 512)));
    let outside = FaceSquare { left: 650, top: 120, side: 100 };
    let refused = |square, wishes: &str| model.edit_face(&picture, square, None, wishes, None).unwrap_err().to_string();
    assert!(refused(outside, "smile").contains("inside 700×300"));
    assert!(refused(square, "hair=plaid").contains("tag"));
}

fn tachie(args: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_tachie")).args(args).output().unwrap()
}

#[test]
fn the_command_edits_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (weights, picture, jpeg, out) =
        (file("model.safetensors"), file("face.png"), file("face.jpg"), file("out.png"));
    Stgan::tiny().build(&Device::Cpu).unwrap().save(&weights).unwrap();
    let face = Avatar::faces().size(90).image(1).unwrap();
    face.save(&picture).unwrap();
    face.save(&jpeg).unwrap();
    let edit = |picture: &str, set: &str, out: &str| {
        tachie(&["edit", picture, "--weights", &weights, "--set", set, "--out", out, "--grid", &file("grid.png")])
    };
    let done = edit(&picture, "hair=purple, -blush", &out);
    let text = String::from_utf8_lossy(&done.stdout).to_string();
    assert!(done.status.success() && text.contains("it is to show: ") && text.contains("purple hair"), "{done:?}");
    assert_eq!(image::open(&out).unwrap().width(), 90);
    assert!(image::open(file("grid.png")).unwrap().width() > 180);
    let done = edit(&jpeg, "smile", &out);
    assert!(done.status.success() && String::from_utf8_lossy(&done.stderr).contains("JPEG"), "{done:?}");
    let refused = |picture: &str, set: &str, out: &str| {
        let done = edit(picture, set, out);
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8(done.stderr).unwrap()
    };
    assert!(refused(&picture, "hare", &out).contains("\"hare\""));
    assert!(refused(&picture, "smile", &file("out.jpg")).contains(".png"));
    assert!(refused(&file("absent.png"), "smile", &out).contains("absent.png"));

    let short = tachie(&["edit", &picture, "--set", "hair=purple, glasses, -blush", "--model", &weights]);
    assert!(String::from_utf8_lossy(&short.stdout).contains("face-edited.png"), "{short:?}");
    assert_eq!(image::open(file("face-edited.png")).unwrap().width(), 90);
}

/// The protocol of ANIMEGAN's table 2: what stays as it is, beside what it was.
#[test]
fn reconstructions_are_judged() {
    let faces = Avatar::faces().size(64).take(20).unwrap();
    let model = Attgan::tiny().build(&Device::Cpu).unwrap();
    let table = |faces| Evaluation::on(faces).metrics([Metric::psnr()]).model("attgan", &model).table();
    let found = table(&faces).unwrap().md();
    assert!(found.contains("attgan") && found.contains("PSNR"), "{found}");
    let years = Avatar::faces().years().size(64).take(4).unwrap();
    assert!(table(&years).unwrap_err().to_string().contains("year"));
}

/// What an editor that has learnt nothing is told, how its edits are counted, and the figures.
#[test]
fn edits_are_judged_and_shown() {
    let drawn = Avatar::faces().size(64);
    let faces = drawn.clone().take(3).unwrap().with_labels(&TagSet::animegan().names()).unwrap();
    let model = Animegan::tiny().tags(faces.tags()).build(&Device::Cpu).unwrap();
    let report = model.edit_report(&faces, Protocol::Sets, None).unwrap();
    assert!(report.advice.as_ref().unwrap().contains("come out") && report.change > 0.0 && report.error > 10.0);
    let shown: usize = (0..3).map(|i| faces.labels(i).unwrap().on().len()).sum();
    assert_eq!(report.accuracy.disturbing().n, 3 * 15 - shown);
    // The tagger reads more than the model's 15 labels.
    let [own, all] = [&report.own, &report.accuracy];
    assert_eq!((own.accuracy().value, own.disturbing().n), (all.accuracy().value, all.disturbing().n));
    assert!(own.disturbing().value <= all.disturbing().value);
    let flips = model.edit_report(&faces, Protocol::Flips, 1.0).unwrap();
    assert!(flips.accuracy.disturbing().n >= report.accuracy.disturbing().n);
    assert!(flips.table().unwrap().md().contains("disturbing edits"));

    let truth = model.edit_truth(&drawn, &[0, 1, 2], None).unwrap();
    let glasses = truth.rows.iter().find(|row| row.tag == "glasses").unwrap();
    assert_eq!(glasses.edits, 3);
    // Whoever does nothing is near the truth, but not where it differs; grey noise is far from it everywhere.
    assert!(glasses.psnr_unedited > 15.0 && glasses.there_unedited < glasses.psnr_unedited && glasses.psnr < 15.0);
    assert!(truth.table().unwrap().md().contains("PSNR where it changes"));
    assert!(model.edit_truth(&drawn, &[], None).unwrap_err().to_string().contains("0 faces"));

    let pictures = faces.images(2).unwrap().without_captions();
    let labels: Vec<Labels> = (0..2).map(|i| faces.labels(i).unwrap()).collect();
    let grid = model.edit_grid(&pictures, &labels, &["hair=purple, glasses", "-blush"], None).unwrap();
    assert_eq!(grid.len(), 2 * 4);
    assert_eq!(model.strength_sweep(&pictures, &labels, "smile", &[0.5, 1.0, 2.0]).unwrap().len(), 2 * 4);
    assert_eq!(model.slide(&pictures, &labels, "hair=red", &[0.0, 1.0]).unwrap().len(), 2 * 3);
    assert!(model.slide(&pictures, &labels, "hair=red", &[]).is_err());
    let none: [&str; 0] = [];
    assert!(model.edit_grid(&pictures, &labels, &none, None).is_err());
}

/// Three adversarial losses, trained with and without holes in what the generator reads, by one call.
#[test]
fn a_study_trains_and_judges() {
    let faces = Avatar::faces().size(64).take(40).unwrap().with_labels(&TagSet::animegan().names()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let study = Study::table1().repetitions(1).tiny(Length::Steps(1));
    let editors = study.train(&faces.train(), folder.path(), &Device::Cpu).unwrap();
    let test = faces.take(2);
    let found = editors.evaluation(&test).metrics(Study::metrics()).quiet().run().unwrap();
    let names: Vec<&str> = found.rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(names, ["vanilla 1", "LSGAN 1", "WGAN-GP 1"]);
    assert!(study.table(&found).unwrap().md().contains("27.44"));
    assert!(folder.path().join("wgan-gp-1").is_dir());
    let pictures = test.images(2).unwrap().without_captions();
    let labels: Vec<Labels> = (0..2).map(|i| test.labels(i).unwrap()).collect();
    assert_eq!(editors.grid(&pictures, &labels, "hair=purple").unwrap().len(), 2 * 4);
}

#[test]
fn holes_change_what_is_learnt() {
    let faces = Avatar::faces().size(64).take(16).unwrap();
    let losses = |config: EditorConfig<animegan::OfAnimegan>| {
        let folder = tempfile::tempdir().unwrap();
        let model = config.build(&Device::Cpu).unwrap();
        let mut trainer = model.train_on(&faces, folder.path()).unwrap();
        trainer.steps(1).unwrap();
        trainer.history().unwrap().records().last().unwrap().losses.clone()
    };
    let (plain, masked) = (losses(Animegan::tiny()), losses(Animegan::tiny().masked(Masks::default())));
    // The discriminator of real pictures never sees holes.
    assert_ne!(plain["generator/rec"], masked["generator/rec"]);
    assert!(masked.values().all(|loss| loss.is_finite()));
}

#[test]
fn configurations_that_make_no_network_are_refused() {
    let refused = |config: EditorConfig<animegan::OfAnimegan>, word: &str| {
        let message = config.build(&Device::Cpu).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    let tiny = Animegan::tiny;
    refused(EditorConfig { resolution: 60, ..tiny() }, "60 px");
    refused(EditorConfig { generator: GeneratorConfig { skips: 1, ..tiny().generator }, ..tiny() }, "1 skips");
    refused(
        EditorConfig { generator: GeneratorConfig { injections: 9, ..tiny().generator }, ..tiny() },
        "9 injections",
    );
    refused(EditorConfig { judge: JudgeConfig { hidden: 0, ..tiny().judge }, ..tiny() }, "heads of 0");
    let objective = ObjectiveConfig { penalty: -1.0, ..tiny().objective };
    refused(EditorConfig { objective, ..tiny() }, "-1");
    refused(tiny().tags(&TagSet::none()), "0 labels");
    assert!(StarganConfig { resolution: 48, ..Stargan::tiny() }.build(&Device::Cpu).is_err());
    assert!(FadernetConfig { layers: 6, ..Fadernet::tiny() }.build(&Device::Cpu).is_err());
    assert!(FadernetConfig { clip: 0.0, ..Fadernet::tiny() }.build(&Device::Cpu).is_err());
    assert!(IcganConfig { resolution: 8, ..Icgan::tiny() }.build(&Device::Cpu).is_err());
    let unlabelled = Attgan::tiny().build(&Device::Cpu).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let years = Avatar::faces().years().size(64).take(20).unwrap();
    let message = unlabelled.train_on(&years, folder.path()).unwrap_err().to_string();
    assert!(message.contains("year"), "{message}");
    assert_eq!(Attgan::tiny().changes, Changes::default());
}
