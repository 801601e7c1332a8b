//! Every metric by name, with its settings.

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;

use super::pictures::Pictures;
use crate::metrics::features::diversity::Diversity;
use crate::metrics::features::fid_infinity::FidInfinity;
use crate::metrics::features::frechet::fid;
use crate::metrics::features::inception_score::InceptionScore;
use crate::metrics::features::kid::Kid;
use crate::metrics::features::memorisation::Memorisation;
use crate::metrics::features::precision_recall::{density_coverage, precision_recall};
use crate::metrics::labels::attributes::Decision;
use crate::metrics::nets::lpips::Lpips;
use crate::metrics::nets::pose_reader::PoseReader;
use crate::metrics::pictures::ms_ssim::MsSsim;
use crate::metrics::pictures::sliced_wasserstein::SlicedWasserstein;
use crate::metrics::pictures::ssim::Ssim;
use crate::metrics::score::Score;
use crate::models::baselines::pg2::Pg2Config;
use crate::rng::Seed;
use crate::{Error, Result};

/// What to measure. Constructors take the usual settings; [`From`] turns a metric's own settings into one
/// (`Kid::new().subsets(10).into()`).
#[derive(Clone)]
pub struct Metric {
    pub(super) kind: Kind,
    /// Whether models of which it cannot be taken are passed over.
    pub(super) optional: bool,
}

#[derive(Clone)]
pub(super) enum Kind {
    Fid,
    FidInfinity(FidInfinity),
    Kid(Kid),
    PrecisionRecall,
    DensityCoverage,
    InceptionScore(InceptionScore),
    SlicedWasserstein(SlicedWasserstein),
    Sharpness,
    Diversity(Diversity),
    Memorisation(Option<Arc<dyn Pictures>>),
    AttributePrecision(Decision),
    Psnr,
    Ssim(Ssim),
    MsSsim(MsSsim),
    Lpips(Arc<Lpips>),
    Perceptual,
    Keypoints(Arc<PoseReader>),
    MaskSsim(Figures),
}

/// Where the figure of a picture is: PG2's mask.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figures {
    pub limbs: Vec<[usize; 2]>,
    pub radius: f64,
}

/// What a metric looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// The network's features of both sets.
    Features,
    /// The generated pictures, one after the other.
    Pictures,
    /// Real and generated pictures, pair after pair.
    Pairs,
    /// All pictures of both sets at once.
    Everything,
}

/// Names and what they measure, in the order of the documentation.
const NAMES: [(&str, &str); 18] = [
    ("fid", "Fréchet distance of features"),
    ("fid-infinity", "FID extrapolated to infinitely many pictures"),
    ("kid", "kernel distance of features, unbiased"),
    ("precision-recall", "shares of each set inside the other's balls"),
    ("density-coverage", "their later version"),
    ("inception-score", "sure and varied classes (Inception)"),
    ("swd", "sliced Wasserstein distance of patches"),
    ("sharpness", "variance of the Laplacian"),
    ("diversity", "mean distance of two generated pictures"),
    ("memorisation", "authenticity: how many are farther from the real pictures than these from each other"),
    ("attribute-precision", "how often what was asked for is seen (tagger)"),
    ("psnr", "pairs: peak signal-to-noise ratio"),
    ("ssim", "pairs: structural similarity (Wang)"),
    ("ms-ssim", "pairs: SSIM over five sizes"),
    ("lpips", "pairs: perceptual distance of Zhang et al."),
    ("perceptual", "pairs: perceptual distance of the tagger"),
    ("keypoints", "how near a body's key points are to where they were asked for (`tachie compare`)"),
    ("mask-ssim", "pairs: SSIM of the figure alone (`tachie compare`)"),
];

impl Metric {
    /// The Fréchet inception distance, or of another network's features: [`fid`].
    pub fn fid() -> Metric {
        Kind::Fid.into()
    }

    /// FID without its bias in the number of generated pictures.
    pub fn fid_infinity() -> Metric {
        FidInfinity::new().into()
    }

    /// The kernel distance.
    pub fn kid() -> Metric {
        Kid::new().into()
    }

    /// Precision and recall, k = 3.
    pub fn precision_recall() -> Metric {
        Kind::PrecisionRecall.into()
    }

    /// Density and coverage, k = 5.
    pub fn density_coverage() -> Metric {
        Kind::DensityCoverage.into()
    }

    /// The Inception score; the network has to be Inception.
    pub fn inception_score() -> Metric {
        InceptionScore::new().into()
    }

    /// The sliced Wasserstein distance, one score per size and their mean.
    pub fn swd() -> Metric {
        SlicedWasserstein::new().into()
    }

    /// The variance of the Laplacian. Real pictures given as a model stand beside it in the table.
    pub fn sharpness() -> Metric {
        Kind::Sharpness.into()
    }

    /// The mean distance of two generated pictures' features.
    pub fn diversity() -> Metric {
        Diversity::new().into()
    }

    /// Authenticity, the real pictures being those that were trained on.
    pub fn memorisation() -> Metric {
        Kind::Memorisation(None).into()
    }

    /// Authenticity against these training pictures, and the test for copying, for which the real pictures of the
    /// evaluation are the held-out ones.
    pub fn memorisation_of(training: &(impl Pictures + Clone + 'static)) -> Metric {
        Kind::Memorisation(Some(Arc::new(training.clone()))).into()
    }

    /// How often the network sees the attributes that were asked for; the network has to be a tagger.
    pub fn attribute_precision() -> Metric {
        Decision::new().into()
    }

    /// Of pairs: the peak signal-to-noise ratio.
    pub fn psnr() -> Metric {
        Kind::Psnr.into()
    }

    /// Of pairs: [`Ssim::wang`]. The STGAN protocol is `Ssim::uniform().into()`.
    pub fn ssim() -> Metric {
        Ssim::wang().into()
    }

    /// Of pairs: [`MsSsim::wang`].
    pub fn ms_ssim() -> Metric {
        MsSsim::wang().into()
    }

    /// Of pairs: LPIPS.
    pub fn lpips(network: Lpips) -> Metric {
        Kind::Lpips(Arc::new(network)).into()
    }

    /// Of pairs: the perceptual distance that the network of the evaluation defines (the tagger does).
    pub fn perceptual() -> Metric {
        Kind::Perceptual.into()
    }

    /// The columns of a reconstruction table: PSNR and SSIM as the script of STGAN (arXiv:1904.09709) computes them,
    /// MS-SSIM, and the perceptual distance of the network.
    pub fn reconstruction() -> [Metric; 4] {
        [Metric::psnr(), Ssim::uniform().into(), Metric::ms_ssim(), Metric::perceptual()]
    }

    /// How near key points are to where they were asked for: PCK@0.1 and the mean distance in pixels of the pictures. The
    /// reader finds them in pictures that know their pose: those of models that draw poses, and real ones.
    pub fn keypoints(reader: &PoseReader) -> Metric {
        Kind::Keypoints(Arc::new(reader.clone())).into()
    }

    /// Of pairs: SSIM where both pictures are black outside of the figure that the real one's key points tell of
    /// ([`Ssim::masked`], [`pose_mask`](crate::models::baselines::pg2::pose_mask)), with the limbs and the radius of this
    /// PG2.
    pub fn mask_ssim(pg2: &Pg2Config) -> Metric {
        Kind::MaskSsim(Figures { limbs: pg2.limbs.clone(), radius: pg2.radius }).into()
    }

    /// What the structure of full bodies is judged by, PSGAN beside Progressive GAN (Hamada et al. 2018, figure 5, which
    /// shows pictures only): distances of the pictures' distributions, and of key points for models that are asked for poses.
    pub fn structure(reader: &PoseReader) -> [Metric; 3] {
        [Metric::fid(), Metric::kid(), Metric::keypoints(reader).optional()]
    }

    /// What the quality of full bodies is judged by, PSGAN beside PG2 (Hamada et al. 2018, figure 6, which shows pictures
    /// only), on pairs of pictures of one character: FID, sharpness, and for models that translate how near their pictures
    /// are to the true ones, as PG2's paper measures it.
    pub fn quality(pg2: &Pg2Config) -> [Metric; 4] {
        let ssim = Metric::from(Ssim::uniform());
        [Metric::fid(), Metric::sharpness(), ssim.optional(), Metric::mask_ssim(pg2).optional()]
    }

    /// The same where it can be taken: models whose pictures are no counterparts of real ones, or were not asked for a
    /// pose, get a dash in the table and a note below it in place of an error.
    pub fn optional(self) -> Metric {
        Metric { optional: true, ..self }
    }

    /// The metric of that name on the command line.
    ///
    /// # Errors
    /// When there is none, and for those that need more than a name: the message says what.
    pub fn named(name: &str) -> Result<Metric> {
        match name {
            "fid" => Ok(Metric::fid()),
            "fid-infinity" => Ok(Metric::fid_infinity()),
            "kid" => Ok(Metric::kid()),
            "precision-recall" => Ok(Metric::precision_recall()),
            "density-coverage" => Ok(Metric::density_coverage()),
            "inception-score" => Ok(Metric::inception_score()),
            "swd" => Ok(Metric::swd()),
            "sharpness" => Ok(Metric::sharpness()),
            "diversity" => Ok(Metric::diversity()),
            "memorisation" => Ok(Metric::memorisation()),
            "attribute-precision" => Ok(Metric::attribute_precision()),
            "psnr" => Ok(Metric::psnr()),
            "ssim" => Ok(Metric::ssim()),
            "ms-ssim" => Ok(Metric::ms_ssim()),
            "perceptual" => Ok(Metric::perceptual()),
            "lpips" => {
                let hint = "`tachie fetch weights-alexnet` and `tachie fetch weights-lpips-alex` download them (vgg, \
                            squeezenet: alike), `tachie import torch` converts them; `perceptual` needs none.";
                Err(Error::invalid("metric lpips", "no weights", "those of a trunk and of its heads", hint))
            }
            "keypoints" | "mask-ssim" => {
                let hint = "`tachie compare` has both of models of full bodies.";
                Err(Error::invalid(format!("metric {name}"), "pictures alone", "their poses too", hint))
            }
            other => {
                let names = NAMES.map(|(name, _)| name).join(", ");
                Err(Error::invalid("metric", format!("\"{other}\""), names, ""))
            }
        }
    }

    /// Names and what they measure.
    pub fn names() -> &'static [(&'static str, &'static str)] {
        &NAMES
    }

    /// The same with another seed of its subsets, pairs or directions, where it draws any.
    pub fn seeded(self, seed: Seed) -> Metric {
        // NumPy's generator takes 32 bits.
        let narrow = seed.0 as u32;
        let kind = match self.kind {
            Kind::FidInfinity(settings) => Kind::FidInfinity(settings.seed(seed)),
            Kind::Kid(settings) => Kind::Kid(settings.seed(narrow)),
            Kind::InceptionScore(settings) => Kind::InceptionScore(settings.seed(Some(narrow))),
            Kind::SlicedWasserstein(settings) => Kind::SlicedWasserstein(settings.seed(seed)),
            Kind::Diversity(settings) => Kind::Diversity(settings.seed(seed)),
            kind => kind,
        };
        Metric { kind, optional: self.optional }
    }

    /// What the command line calls it.
    pub fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Fid => "fid",
            Kind::FidInfinity(_) => "fid-infinity",
            Kind::Kid(_) => "kid",
            Kind::PrecisionRecall => "precision-recall",
            Kind::DensityCoverage => "density-coverage",
            Kind::InceptionScore(_) => "inception-score",
            Kind::SlicedWasserstein(_) => "swd",
            Kind::Sharpness => "sharpness",
            Kind::Diversity(_) => "diversity",
            Kind::Memorisation(_) => "memorisation",
            Kind::AttributePrecision(_) => "attribute-precision",
            Kind::Psnr => "psnr",
            Kind::Ssim(_) => "ssim",
            Kind::MsSsim(_) => "ms-ssim",
            Kind::Lpips(_) => "lpips",
            Kind::Perceptual => "perceptual",
            Kind::Keypoints(_) => "keypoints",
            Kind::MaskSsim(_) => "mask-ssim",
        }
    }

    /// Whether it compares pairs of pictures that belong together.
    pub fn of_pairs(&self) -> bool {
        self.needs() == Needs::Pairs
    }

    pub(super) fn needs(&self) -> Needs {
        match &self.kind {
            Kind::Sharpness | Kind::AttributePrecision(_) | Kind::Keypoints(_) => Needs::Pictures,
            Kind::Psnr | Kind::Ssim(_) | Kind::MsSsim(_) | Kind::Lpips(_) | Kind::Perceptual | Kind::MaskSsim(_) => {
                Needs::Pairs
            }
            Kind::SlicedWasserstein(_) => Needs::Everything,
            _ => Needs::Features,
        }
    }

    /// Whether the network of the evaluation decides its number.
    pub fn of_network(&self) -> bool {
        self.needs() == Needs::Features || matches!(self.kind, Kind::AttributePrecision(_) | Kind::Perceptual)
    }

    /// The scores of two sets of features `[N, D]`, for metrics that need nothing else.
    ///
    /// # Errors
    /// When it needs pictures or classes too; as the metric itself.
    pub fn of_features(&self, real: &Tensor, generated: &Tensor) -> Result<Vec<Score>> {
        match &self.kind {
            Kind::Fid => Ok(vec![fid(real, generated)?]),
            Kind::FidInfinity(settings) => Ok(vec![settings.score(real, generated)?]),
            Kind::Kid(settings) => Ok(vec![settings.score(real, generated)?]),
            Kind::PrecisionRecall => Ok(precision_recall(real, generated)?.into()),
            Kind::DensityCoverage => Ok(density_coverage(real, generated)?.into()),
            Kind::Diversity(settings) => Ok(vec![settings.of_features(generated)?]),
            Kind::Memorisation(None) => Ok(vec![Memorisation::of(generated, real, None)?.authenticity()]),
            _ => {
                let known = "fid, fid-infinity, kid, precision-recall, density-coverage, diversity or memorisation";
                let hint = "The others look at pictures.";
                Err(Error::invalid("metric of features", self.name(), known, hint))
            }
        }
    }

    /// A text that differs whenever the settings do; `None` where nobody knows (a network of no known file).
    pub(super) fn id(&self) -> Option<String> {
        let settings = match &self.kind {
            Kind::FidInfinity(settings) => format!("{settings:?}"),
            Kind::Kid(settings) => format!("{settings:?}"),
            Kind::InceptionScore(settings) => format!("{settings:?}"),
            Kind::SlicedWasserstein(settings) => format!("{settings:?}"),
            Kind::Diversity(settings) => format!("{settings:?}"),
            Kind::AttributePrecision(decision) => format!("{decision:?}"),
            Kind::Ssim(settings) => format!("{settings:?}"),
            Kind::MsSsim(settings) => format!("{settings:?}"),
            Kind::MaskSsim(figures) => format!("{figures:?}"),
            // A reader does not say what it has learnt from.
            Kind::Keypoints(_) => return None,
            Kind::Memorisation(Some(training)) => training.identity(0..training.len()).ok()?,
            Kind::Lpips(network) => {
                let [trunk, heads] = network.cards();
                format!("{} {}", trunk?.sha256, heads?.sha256)
            }
            _ => String::new(),
        };
        Some(format!("{} {settings}", self.name()))
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metric({})", self.name())
    }
}

impl From<Kind> for Metric {
    fn from(kind: Kind) -> Metric {
        Metric { kind, optional: false }
    }
}

macro_rules! from_settings {
    ($($settings:ident => $kind:ident),*) => {
        $(impl From<$settings> for Metric {
            fn from(settings: $settings) -> Metric {
                Kind::$kind(settings).into()
            }
        })*
    };
}

from_settings!(FidInfinity => FidInfinity, Kid => Kid, InceptionScore => InceptionScore,
    SlicedWasserstein => SlicedWasserstein, Diversity => Diversity, Decision => AttributePrecision, Ssim => Ssim,
    MsSsim => MsSsim);
