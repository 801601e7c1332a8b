//! The models and their configurations, with the counts that are published.

use std::sync::Arc;

use super::{Entry, Preset, Setting};
use crate::metrics::evaluate;
use crate::models::anime2clothing::{self, Anime2Clothing};
use crate::models::animegan::{self, Animegan, EditorConfig, OfAnimegan, Paper};
use crate::models::baselines::attgan::{Attgan, OfAttgan};
use crate::models::baselines::dcgan::Dcgan;
use crate::models::baselines::fadernet::{self, Fadernet};
use crate::models::baselines::icgan::{self, Icgan};
use crate::models::baselines::pg2::{self, Pg2};
use crate::models::baselines::pix2pix::{self, Pix2pix};
use crate::models::baselines::pix2pixhd::{self, Pix2pixHd};
use crate::models::baselines::pldt::{self, Pldt};
use crate::models::baselines::progan::{self, Progan};
use crate::models::baselines::stargan::{self, Stargan};
use crate::models::baselines::stgan::{OfStgan, Stgan};
use crate::models::make_girls::{self, DiscriminatorConfig, MakeGirls, MakeGirlsConfig};
use crate::models::model::Model;
use crate::models::psgan::{self, Psgan};
use crate::models::stylegan::{self, Stylegan};
use crate::train::gan::{Gan, Player};
use crate::train::plan::growth::Gpus;

/// All models.
pub fn catalogue() -> Vec<Entry> {
    vec![
        Entry {
            name: "make-girls",
            paper: "Towards the Automatic Anime Characters Creation with Generative Adversarial Networks",
            link: "https://arxiv.org/abs/1708.05509",
            year: 2017,
            task: "noise and attributes to a face",
            presets: make_girls(),
        },
        Entry {
            name: "dcgan",
            paper: "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
            link: "https://arxiv.org/abs/1511.06434",
            year: 2015,
            task: "noise and attributes to a face (baseline of make-girls)",
            presets: dcgan(),
        },
        Entry {
            name: "psgan",
            paper: "Full-Body High-Resolution Anime Generation with Progressive Structure-Conditional Generative \
                    Adversarial Networks",
            link: "https://arxiv.org/abs/1809.01890",
            year: 2018,
            task: "noise and key points to a full body",
            presets: psgan(),
        },
        Entry {
            name: "progan",
            paper: "Progressive Growing of GANs for Improved Quality, Stability, and Variation",
            link: "https://arxiv.org/abs/1710.10196",
            year: 2018,
            task: "noise to a picture (baseline of psgan)",
            presets: progan(),
        },
        Entry {
            name: "pg2",
            paper: "Pose Guided Person Image Generation",
            link: "https://arxiv.org/abs/1705.09368",
            year: 2017,
            task: "a picture and key points to that person in another pose (baseline of psgan)",
            presets: pg2(),
        },
        Entry {
            name: "stylegan",
            paper: "A Style-Based Generator Architecture for Generative Adversarial Networks",
            link: "https://arxiv.org/abs/1812.04948",
            year: 2019,
            task: "noise to a full body",
            presets: stylegan(),
        },
        Entry {
            name: "anime2clothing",
            paper: "Anime-to-Real Clothing: Cosplay Costume Generation via Image-to-Image Translation",
            link: "https://arxiv.org/abs/2008.11479",
            year: 2020,
            task: "a character to a photo of its clothing",
            presets: anime2clothing(),
        },
        Entry {
            name: "pix2pix",
            paper: "Image-to-Image Translation with Conditional Adversarial Networks",
            link: "https://arxiv.org/abs/1611.07004",
            year: 2017,
            task: "a picture to a picture (baseline of anime2clothing)",
            presets: pix2pix(),
        },
        Entry {
            name: "pix2pixhd",
            paper: "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs",
            link: "https://arxiv.org/abs/1711.11585",
            year: 2018,
            task: "a picture to a picture (baseline of anime2clothing)",
            presets: pix2pixhd(),
        },
        Entry {
            name: "pldt",
            paper: "Pixel-Level Domain Transfer",
            link: "https://arxiv.org/abs/1603.07442",
            year: 2016,
            task: "a picture to a picture (baseline of anime2clothing)",
            presets: pldt(),
        },
        Entry {
            name: "animegan",
            paper: "ANIMEGAN (report of the course COMP4471)",
            link: "not published",
            year: 2020,
            task: "a face and attributes to that face with them",
            presets: animegan(),
        },
        Entry {
            name: "stgan",
            paper: "STGAN: A Unified Selective Transfer Network for Arbitrary Image Attribute Editing",
            link: "https://arxiv.org/abs/1904.09709",
            year: 2019,
            task: "a face and attributes to that face with them (baseline of animegan)",
            presets: stgan(),
        },
        Entry {
            name: "attgan",
            paper: "AttGAN: Facial Attribute Editing by Only Changing What You Want",
            link: "https://arxiv.org/abs/1711.10678",
            year: 2019,
            task: "a face and attributes to that face with them (baseline of animegan)",
            presets: attgan(),
        },
        Entry {
            name: "stargan",
            paper: "StarGAN: Unified Generative Adversarial Networks for Multi-Domain Image-to-Image Translation",
            link: "https://arxiv.org/abs/1711.09020",
            year: 2018,
            task: "a face and attributes to that face with them (baseline of animegan)",
            presets: stargan(),
        },
        Entry {
            name: "fadernet",
            paper: "Fader Networks: Manipulating Images by Sliding Attributes",
            link: "https://arxiv.org/abs/1706.00409",
            year: 2017,
            task: "a face and attributes to that face with them (baseline of animegan)",
            presets: fadernet(),
        },
        Entry {
            name: "icgan",
            paper: "Invertible Conditional GANs for Image Editing",
            link: "https://arxiv.org/abs/1611.06355",
            year: 2016,
            task: "a face and attributes to that face with them (baseline of animegan)",
            presets: icgan(),
        },
    ]
}

fn make_girls() -> Vec<Preset> {
    let both = |discriminator| both(4_385_283, discriminator);
    let all_4x4 = MakeGirls::paper().discriminator(DiscriminatorConfig::all_4x4());
    let preset = preset::<make_girls::Adversaries>;
    vec![
        preset("paper", MakeGirls::paper(), both(19_078_531)),
        preset("tiny", MakeGirls::tiny(), vec![]),
        preset("paper-4x4", all_4x4, both(23_895_427)),
        preset("site-256", MakeGirlsConfig::site_256(), vec![(Player::Generator, 4_108_931)]),
    ]
}

fn dcgan() -> Vec<Preset> {
    let preset = preset::<make_girls::Adversaries>;
    vec![
        preset("paper", Dcgan::paper(), vec![(Player::Discriminator, 19_078_531)]),
        preset("tiny", Dcgan::tiny(), vec![]),
    ]
}

fn psgan() -> Vec<Preset> {
    let preset = preset::<psgan::Adversaries>;
    vec![
        preset("paper", Psgan::paper(), both(23_537_035, 23_545_169)),
        preset("tiny", Psgan::tiny(), vec![]),
        preset("deepfashion", Psgan::deepfashion(), both(23_448_661, 23_456_705)),
    ]
}

fn progan() -> Vec<Preset> {
    let preset = preset::<progan::Adversaries>;
    vec![
        preset("paper", Progan::paper(), both(23_079_115, 23_087_249)),
        preset("tiny", Progan::tiny(), vec![]),
        preset("v2-4gpu", Progan::authors(Gpus::Four, 1024), both(23_079_115, 23_087_249)),
        preset("beside-psgan", Progan::beside_psgan(), both(23_044_309, 23_052_353)),
    ]
}

fn pg2() -> Vec<Preset> {
    let preset = preset::<pg2::Adversaries>;
    let published = || both(122_103_235 + 12_696_067, 10_896_257);
    vec![
        preset("paper", Pg2::paper(), published()),
        preset("tiny", Pg2::tiny(), vec![]),
        preset("code", Pg2::code(), published()),
        preset("beside-psgan", Pg2::beside_psgan(), published()),
    ]
}

fn stylegan() -> Vec<Preset> {
    let preset = preset::<stylegan::Adversaries>;
    vec![
        preset("paper", Stylegan::paper(), both(26_086_229, 23_052_353)),
        preset("tiny", Stylegan::tiny(), vec![]),
        preset("ffhq", Stylegan::ffhq(), both(26_219_627, 23_087_249)),
        preset("few-bodies", Stylegan::few_bodies(256), both(26_086_229, 23_052_353)),
        preset("tiny-few-bodies", Stylegan::tiny_few_bodies(), vec![]),
    ]
}

fn anime2clothing() -> Vec<Preset> {
    let published =
        |domain, real| vec![(Player::Generator, 2_957_184), (Player::Domain, domain), (Player::Discriminator, real)];
    let all = || published(4_112_928, 4_108_176);
    let preset = preset::<anime2clothing::Adversaries>;
    let mut presets = vec![
        preset("paper", Anime2Clothing::paper(), all()),
        preset("tiny", Anime2Clothing::tiny(), vec![]),
        preset("code", Anime2Clothing::code(), all()),
    ];
    // (j) is the paper's.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    presets.extend(names.iter().filter_map(|&name| Some(preset(name, Anime2Clothing::table1(name).ok()?, vec![]))));
    presets
}

fn pix2pix() -> Vec<Preset> {
    let preset = preset::<pix2pix::Adversaries>;
    vec![preset("paper", Pix2pix::paper(), both(54_413_955, 2_768_705)), preset("tiny", Pix2pix::tiny(), vec![])]
}

fn pix2pixhd() -> Vec<Preset> {
    let preset = preset::<pix2pixhd::Adversaries>;
    vec![
        preset("paper", Pix2pixHd::paper(), both(182_443_267, 2 * 2_767_809)),
        preset("tiny", Pix2pixHd::tiny(), vec![]),
    ]
}

fn pldt() -> Vec<Preset> {
    let published = |generator, single, pairs| {
        vec![(Player::Generator, generator), (Player::Discriminator, single), (Player::Domain, pairs)]
    };
    let preset = preset::<pldt::Adversaries>;
    vec![
        preset("paper", Pldt::paper(), published(30_383_683, 17_234_689, 17_244_289)),
        preset("tiny", Pldt::tiny(), vec![]),
        preset("port", Pldt::port(), published(12_399_552, 6_212_736, 6_217_344)),
    ]
}

fn editor<P: Paper>(name: &'static str, config: EditorConfig<P>, published: Vec<(Player, usize)>) -> Preset {
    preset::<animegan::Adversaries<P>>(name, config, published)
}

/// With the 34 labels of make.girls.moe: specs/faces.md C.2, C.3 and D count them with 13 and with 34.
fn animegan() -> Vec<Preset> {
    let judges = [(Player::Discriminator, 27_927_425), (Player::Classifier, 27_961_250)];
    let published = [&[(Player::Generator, 87_113_635)], &judges[..]].concat();
    vec![
        editor::<OfAnimegan>("paper", Animegan::paper(), published),
        editor::<OfAnimegan>("tiny", Animegan::tiny(), vec![]),
    ]
}

fn stgan() -> Vec<Preset> {
    vec![
        editor::<OfStgan>("paper", Stgan::paper(), both(75_967_459, 44_740_515)),
        editor::<OfStgan>("tiny", Stgan::tiny(), vec![]),
    ]
}

fn attgan() -> Vec<Preset> {
    vec![
        editor::<OfAttgan>("paper", Attgan::paper(), both(43_975_299, 44_740_515)),
        editor::<OfAttgan>("tiny", Attgan::tiny(), vec![]),
        editor::<OfAttgan>("port", Attgan::port(), vec![]),
    ]
}

fn stargan() -> Vec<Preset> {
    let preset = preset::<stargan::Adversaries>;
    vec![preset("paper", Stargan::paper(), both(8_521_472, 44_999_616)), preset("tiny", Stargan::tiny(), vec![])]
}

fn fadernet() -> Vec<Preset> {
    let preset = preset::<fadernet::Adversaries>;
    vec![preset("paper", Fadernet::paper(), both(15_051_232, 4_493_380)), preset("tiny", Fadernet::tiny(), vec![])]
}

fn icgan() -> Vec<Preset> {
    let encoders = [(Player::Encoder, 18_278_244), (Player::Classifier, 3_195_170)];
    let published = [both(3_856_195, 2_836_161), encoders.to_vec()].concat();
    let preset = preset::<icgan::Adversaries>;
    vec![
        preset("paper", Icgan::paper(), published),
        preset("tiny", Icgan::tiny(), vec![]),
        preset("128", Icgan::at_128(), vec![]),
    ]
}

fn both(generator: usize, discriminator: usize) -> Vec<(Player, usize)> {
    vec![(Player::Generator, generator), (Player::Discriminator, discriminator)]
}

fn preset<G: Gan>(name: &'static str, config: G::Config, published: Vec<(Player, usize)>) -> Preset
where
    Model<G>: evaluate::Model,
{
    Preset { name, recipe: Arc::new(Setting::<G>(config)), published }
}
