//! Models that make a picture from a picture: counts and sizes of the papers, losses and gradients of PyTorch
//! (tests/fixtures/translation/make.py), and trainings on pairs.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/posed.rs"]
mod posed;

use tachie::candle_core::{DType, Device, Tensor};
use tachie::data::avatar::Avatar;
use tachie::data::batch::{Batch, Images};
use tachie::data::changes::{Changes, Flip, Jitter};
use tachie::data::loader::{Loader, LoaderOptions};
use tachie::data::manifest::Filter;
use tachie::models::anime2clothing::{
    self, Adversarial, Anime2Clothing, Anime2ClothingConfig, Compared, GeneratorScore, Length, Schedule, Shape, Study,
    Translator,
};
use tachie::models::baselines::pix2pix::{self, Pix2pix, Pix2pixConfig};
use tachie::models::baselines::pix2pixhd::{self, Pix2pixHd, Pix2pixHdConfig};
use tachie::models::baselines::pldt::{self, Pldt, PldtConfig, Reading};
use tachie::nn::norm::Mode;
use tachie::nn::params::{ParamStore, Training};
use tachie::nn::progressive::Level;
use tachie::rng::Seed;
use tachie::train::gan::{Gan, Player, Step};
use tachie::train::plan::Position;

use golden::{Golden, filled, numbers};
use posed::posed;

fn blank<G: Gan>(config: &G::Config) -> (ParamStore, G) {
    let params = ParamStore::blank(&Device::Cpu, DType::F32).unwrap();
    let networks = G::new(config, &params.view(Training::Nothing)).unwrap();
    (params, networks)
}

/// specs/clothing.md A.1, A.2, C.1 to C.3.
#[test]
fn counts_of_the_papers() {
    let count = |params: &ParamStore| ["g", "d", "t"].map(|prefix| params.count(prefix));
    let clothing = |config: &Anime2ClothingConfig| count(&blank::<anime2clothing::Adversaries>(config).0);
    assert_eq!(clothing(&Anime2Clothing::paper()), [2_957_184, 4_108_176, 4_112_928]);
    for (width, wanted) in [(2.0, 11_812_608), (4.0, 47_218_176)] {
        let config = Anime2ClothingConfig { shape: Shape { width, ..Shape::default() }, ..Anime2Clothing::paper() };
        assert_eq!(clothing(&config)[0], wanted);
    }
    // (d) has one tower of each, (a) pix2pix's networks with biases in place of batch norms.
    assert_eq!(clothing(&Anime2Clothing::table1("d").unwrap()), [2_957_184, 1_587_792, 1_589_664]);
    assert_eq!(clothing(&Anime2Clothing::table1("a").unwrap()), [54_413_955, 0, 2_767_809]);
    let pix2pix = count(&blank::<pix2pix::Adversaries>(&Pix2pix::paper()).0);
    assert_eq!(pix2pix, [54_413_955, 2_768_705, 0]);
    let hd = count(&blank::<pix2pixhd::Adversaries>(&Pix2pixHd::paper()).0);
    assert_eq!(hd, [182_443_267, 2 * 2_767_809, 0]);
    let pldt = |config: &PldtConfig| count(&blank::<pldt::Adversaries>(config).0);
    assert_eq!(pldt(&Pldt::paper()), [30_383_683, 17_234_689, 17_244_289]);
    assert_eq!(pldt(&Pldt::port()), [12_399_552, 6_212_736, 6_217_344]);
}

/// 1×1 for the whole picture, 13×13 and 61×61 patches, at every resolution that a tower is used at.
#[test]
fn maps_of_the_discriminators() {
    let shape = Shape { judge_width: 1.0 / 32.0, ..Shape::default() };
    let params = ParamStore::new(Seed(0), &Device::Cpu, DType::F32).unwrap();
    let scope = params.view(Training::Nothing);
    let norm = Anime2Clothing::paper().norm;
    use anime2clothing::{Reach, Scales};
    let domain = Scales::new(&shape, 6, 3, Reach::Pyramid, norm, &scope.pp("t")).unwrap();
    let real = Scales::new(&shape, 3, 3, Reach::Patches, norm, &scope.pp("d")).unwrap();
    for (side, of_domain, of_real) in
        [(256, vec![1, 1, 1], vec![1, 13, 61]), (64, vec![1, 1, 1], vec![1, 13, 61]), (32, vec![1, 1], vec![1, 13])]
    {
        let sides = |scales: &Scales, channels: usize| {
            let pictures = Tensor::zeros((1, channels, side, side), DType::F32, &Device::Cpu).unwrap();
            let verdicts = scales.at(Level::full(side), Mode::Eval).unwrap().forward(&pictures).unwrap();
            verdicts.iter().map(|verdict| verdict.scores.dims()[3]).collect::<Vec<_>>()
        };
        assert_eq!((sides(&domain, 6), sides(&real, 3)), (of_domain, of_real), "{side} px");
    }
    // While 64 px fade in, the third tower would need a level below 4 px.
    let fading = domain.at(Level { resolution: 64, alpha: 0.5 }, Mode::Eval).unwrap();
    let pictures = Tensor::zeros((1, 6, 64, 64), DType::F32, &Device::Cpu).unwrap();
    let verdicts = fading.forward(&pictures).unwrap();
    assert_eq!(verdicts.iter().map(|verdict| verdict.features.len()).collect::<Vec<_>>(), [3, 1]);
}

/// All losses and gradients of a configuration beside those of PyTorch.
fn compare<G: Gan>(case: &str, config: &G::Config, full: usize, level: Level) {
    let picture = |side: usize, key: f64| filled(&[2, 3, side, side], key, 1.0);
    let (images, others) = (picture(level.resolution, 0.3), Some(picture(level.resolution, 2.1)));
    let batch = Batch { sources: Some(picture(full, 0.9)), others, ..Batch::of(images) };
    let position = Position { stage: 0, resolution: level.resolution, batch: 2, alpha: level.alpha };
    Golden::open("translation").compare::<G>(case, config, &batch, position, case == "j");
}

fn small(config: Anime2ClothingConfig, resolution: usize) -> Anime2ClothingConfig {
    let shape = Shape { resolution, width: 1.0 / 32.0, judge_width: 1.0 / 32.0 };
    let schedule = Schedule::constant(resolution, 2, 2);
    Anime2ClothingConfig { shape, schedule, ..config }
}

#[test]
fn all_ten_configurations_are_pytorchs() {
    for letter in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        let config = Anime2Clothing::table1(letter).unwrap();
        let side = if config.translator == Translator::Pix2pix { 32 } else { 64 };
        compare::<anime2clothing::Adversaries>(letter, &small(config, side), side, Level::full(side));
    }
}

#[test]
fn other_levels_and_the_published_score_are_pytorchs() {
    let j = small(Anime2Clothing::paper(), 64);
    let fading = Level { resolution: 32, alpha: 0.25 };
    compare::<anime2clothing::Adversaries>("j fading", &j, 64, fading);
    let h = small(Anime2Clothing::table1("h").unwrap(), 64);
    compare::<anime2clothing::Adversaries>("h at 16 px", &h, 64, Level::full(16));
    let code = Anime2ClothingConfig { generator_score: GeneratorScore::Published, ..j };
    compare::<anime2clothing::Adversaries>("code", &code, 64, Level::full(64));
}

#[test]
fn the_baselines_are_pytorchs() {
    let full = Level::full(32);
    let small = Pix2pixConfig { resolution: 32, channels: 2, judge_channels: 2, ..Pix2pix::paper() };
    compare::<pix2pix::Adversaries>("pix2pix", &small, 32, full);
    let squares = Pix2pixConfig { least_squares: true, ..small };
    compare::<pix2pix::Adversaries>("pix2pix squares", &squares, 32, full);
    let hd = Pix2pixHdConfig {
        resolution: 32,
        channels: 2,
        halvings: 2,
        blocks: 2,
        judge_channels: 2,
        ..Pix2pixHd::paper()
    };
    compare::<pix2pixhd::Adversaries>("pix2pixhd", &hd, 32, full);
    for (case, reading) in [("pldt code", Reading::Code), ("pldt maps", Reading::Maps)] {
        let config = PldtConfig { reading, channels: 1, ..Pldt::paper() };
        compare::<pldt::Adversaries>(case, &config, 64, Level::full(64));
    }
}

/// A file of `torch.save` with the names of the authors' code becomes a model that makes what PyTorch makes.
#[test]
fn published_generators_are_imported() {
    let fixture = |name: &str| format!("{}/tests/fixtures/translation/{name}", env!("CARGO_MANIFEST_DIR"));
    let golden = tachie::weights::safetensors::read(fixture("golden.safetensors")).unwrap().tensors;
    let published = anime2clothing::Published::open(fixture("unet.pth")).unwrap();
    assert_eq!((published.config.shape.resolution, published.config.shape.width), (32, 1.0 / 32.0));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("generator.safetensors");
    published.save(&path).unwrap();
    let model = Anime2Clothing::open(&path, &Device::Cpu).unwrap();
    let pictures = filled(&[2, 3, 32, 32], 0.9, 1.0).to_dtype(DType::F32).unwrap();
    let made = model.translate(&Images::new(pictures).unwrap()).unwrap();
    let (found, wanted) = (numbers(&made.tensor), numbers(&golden["published"]));
    let error = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error < 1e-5, "{error}");
    let refused = |name: &str| anime2clothing::Published::open(name).unwrap_err().to_string();
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch/zip.pth");
    assert!(refused(other).contains("no rgb_layer"), "{}", refused(other));
    let wrong =
        model.translate(&Images::new(Tensor::zeros((1, 3, 64, 64), DType::F32, &Device::Cpu).unwrap()).unwrap());
    assert!(wrong.unwrap_err().to_string().contains("32 × 32"));
}

/// What the paper says and its code does not: cross entropy, and features of the clothing and of the input.
#[test]
fn settings_of_the_paper_alone() {
    let both = Anime2ClothingConfig {
        adversarial: Adversarial::CrossEntropy,
        compared: Compared::Both,
        ..small(Anime2Clothing::paper(), 64)
    };
    let params = ParamStore::new(Seed(0), &Device::Cpu, DType::F32).unwrap();
    let networks = anime2clothing::Adversaries::new(&both, &params.view(Training::All)).unwrap();
    let picture = |key: f64| filled(&[2, 3, 64, 64], key, 1.0).to_dtype(DType::F32).unwrap();
    let batch = Batch { sources: Some(picture(0.9)), others: Some(picture(2.1)), ..Batch::of(picture(0.3)) };
    let mut step = Step::new(1, Seed(0), Position { stage: 0, resolution: 64, batch: 2, alpha: 1.0 });
    networks.share(&batch, &mut step).unwrap();
    let terms = networks.loss(Player::Generator, &batch, &mut step).unwrap().values().unwrap();
    let names: Vec<&str> = terms.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["features_domain", "adv_domain", "adv_real", "features_real", "consistency", "l1"]);
    // Scores near 0: three towers of ln 2 each.
    assert!((terms[1].1 - 3.0 * std::f64::consts::LN_2).abs() < 0.5, "{terms:?}");
    assert!(terms.iter().all(|(_, value)| value.is_finite()));
    let unlike = Batch { sources: None, ..batch };
    assert!(networks.share(&unlike, &mut step).unwrap_err().to_string().contains("Avatar::costumes()"));
    let published = Anime2ClothingConfig { generator_score: GeneratorScore::Published, ..both };
    assert!(published.check().unwrap_err().to_string().contains("least squares"));
}

/// Beside each picture another one, changed; input and output mirrored each for itself, or cut as one.
#[test]
fn pairs_are_changed_as_asked() {
    let faces = Avatar::faces().size(32).take(12).unwrap();
    let pairs = faces.pairs(40, Seed(1), |_| "one".into()).unwrap();
    let load = |changes: Changes| {
        let options = LoaderOptions { batch: 20, threads: 0, changes, ..LoaderOptions::default() };
        Loader::new(&pairs, options).unwrap().next().unwrap()
    };
    let plain = load(Changes::default());
    assert!(plain.others.is_none());
    let with = load(Changes { other: Some(Jitter::default()), ..Changes::default() });
    assert_eq!(numbers(&with.images), numbers(&plain.images));
    let others = with.others.unwrap();
    for i in 0..20 {
        assert_ne!(numbers(&others.get(i).unwrap()), numbers(&plain.images.get(i).unwrap()), "{i}");
    }
    let mirrored = |a: &Tensor, b: &Tensor, i: usize| {
        let (a, b) = (numbers(&a.get(i).unwrap()), numbers(&b.get(i).unwrap()));
        let flipped: Vec<f64> = a.chunks(32).flat_map(|row| row.iter().rev().copied()).collect();
        assert!(b == a || b == flipped, "{i}");
        b != a
    };
    let apart = load(Changes { flip: Flip::Independent, ..Changes::default() });
    let joint = load(Changes { flip: Flip::Joint, ..Changes::default() });
    let flips = |batch: &Batch, i: usize| {
        let sources = [plain.sources.as_ref().unwrap(), batch.sources.as_ref().unwrap()];
        [mirrored(&plain.images, &batch.images, i), mirrored(sources[0], sources[1], i)]
    };
    let of_joint: Vec<[bool; 2]> = (0..20).map(|i| flips(&joint, i)).collect();
    assert!(of_joint.iter().all(|[a, b]| a == b) && of_joint.iter().any(|[a, _]| *a));
    assert!((0..20).map(|i| flips(&apart, i)).any(|[a, b]| a != b));
    // A data set whose pairs are of a picture and itself shows that both are cut alike.
    let same = posed(32, 12, tachie::data::skeleton::Skeleton::bones().unwrap(), true);
    let changes = Changes { both: Jitter { zoom: 1.25, ..Jitter::default() }, ..Changes::default() };
    let options = LoaderOptions { batch: 6, threads: 0, changes, ..LoaderOptions::default() };
    let cut = Loader::new(&same, options).unwrap().next().unwrap();
    assert_eq!(numbers(&cut.images), numbers(cut.sources.as_ref().unwrap()));
    assert!(cut.points.is_none(), "key points do not follow a cut");
}

/// Both tables by one call each: every model is trained, judged by FID and a perceptual distance, and shown.
#[test]
fn tables_and_figures_of_the_paper() {
    let pairs = Avatar::costumes().size(64).count(24).dataset().unwrap().in_memory();
    let (train, test, folder) = (pairs.train(), pairs.test(), tempfile::tempdir().unwrap());
    for (study, rows) in [
        (Study::table1().only(&["a", "j"]), &["a: pix2pix", "j: input consistency"][..]),
        (Study::table2(), &["PLDT", "pix2pix", "pix2pixHD", "Anime2Clothing"]),
    ] {
        let study = study.tiny(Length::Steps(1));
        let out = folder.path().join(rows.len().to_string());
        let trained = study.train(&train, &test, &out, &Device::Cpu).unwrap().quiet();
        // Inputs, models and real pictures.
        let figure = trained.beside(&[0, 3, 1]).unwrap();
        assert_eq!(figure.len(), 3 * (rows.len() + 2));
        assert!(trained.beside(&[99]).is_err() && trained.beside(&[]).is_err());
        let results = trained.metrics(Study::metrics()).run().unwrap();
        let table = results.table().unwrap().csv().unwrap();
        for row in rows {
            assert!(table.contains(row) && study.published().unwrap().md().contains(row), "{row}: {table}");
        }
        for key in ["fid", "perceptual", "ssim"] {
            assert!(results.value(key).is_some_and(f64::is_finite), "{key}: {table}");
        }
    }
    assert_eq!(test.show_pairs(&[0, 1, 2]).unwrap().len(), 6);
    assert!(posed(32, 4, tachie::data::skeleton::Skeleton::bones().unwrap(), false).show_pairs(&[0]).is_err());
}

/// A network that is still growing makes pictures of the size that it has reached, and each of their pixels is repeated; pairs
/// of another size come to the model's size and back.
#[test]
fn pictures_of_a_training_that_has_begun() {
    let pairs = Avatar::costumes().size(64).count(24).dataset().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = Anime2Clothing::tiny().build(&Device::Cpu).unwrap();
    assert_eq!(model.networks().unwrap().level().unwrap(), Level::full(64));
    model.train_on(&pairs.train(), folder.path()).unwrap().steps(1).unwrap();
    for model in [model.clone(), model.ema()] {
        assert_eq!(model.networks().unwrap().level().unwrap(), Level::full(16));
        let made = model.translate_of(&pairs, &[0, 5]).unwrap();
        assert_eq!(made.size(), (64, 64));
        let cells = made.tensor.reshape((2, 3, 16, 4, 64)).unwrap();
        assert_eq!(numbers(&cells.max(3).unwrap()), numbers(&cells.min(3).unwrap()));
        let larger = pairs.resized(96, Filter::Bicubic).unwrap();
        assert_eq!(model.translate_of(&larger, &[0]).unwrap().size(), (96, 96));
    }
}
