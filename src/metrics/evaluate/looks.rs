//! Metrics that look at the pictures themselves, a few at a time: one pass for all of them.

use std::collections::BTreeSet;

use candle_core::{Device, Tensor};
use image::RgbImage;

use super::bodies::{self, Readings};
use super::folder::stem;
use super::metric::{Kind, Metric, Needs};
use super::pictures::Pictures;
use crate::data::batch::Images;
use crate::data::tags::Labels;
use crate::metrics::labels::attributes::{AttributePrecision, Decision, Request};
use crate::metrics::nets::extractor::Extractor;
use crate::metrics::nets::lpips::Lpips;
use crate::metrics::nets::trunk::Architecture;
use crate::metrics::pictures::{psnr, sharpness};
use crate::metrics::score::Score;
use crate::show::table::Best;
use crate::{Error, Result};

/// Decoded pictures of each set in memory: 200 MiB for two sets of 1024 px.
pub(super) const READ: usize = 32;
/// The most that a metric of all pictures at once may hold, in bytes.
const EVERYTHING: u64 = 4 << 30;

/// Two sets that are compared.
#[derive(Clone, Copy)]
pub(super) struct Sets<'a> {
    pub real: &'a dyn Pictures,
    pub fake: &'a dyn Pictures,
}

/// What one metric has collected.
struct Collected {
    values: Vec<f64>,
    requests: Vec<Request>,
    readings: Vec<Labels>,
    points: Readings,
}

impl Sets<'_> {
    /// Refuses sets of which the metric cannot be taken.
    pub(super) fn check(&self, metric: &Metric) -> Result<()> {
        if metric.needs() == Needs::Pairs {
            self.check_pairs(metric)?;
        }
        match &metric.kind {
            Kind::Keypoints(reader) => {
                let points = reader.skeleton().len();
                bodies::check_poses(self.fake, points..=points)
            }
            Kind::MaskSsim(figures) => bodies::check_poses(self.real, figures.points()),
            _ => Ok(()),
        }
    }

    /// Refuses sets whose pictures do not belong together one by one.
    fn check_pairs(&self, metric: &Metric) -> Result<()> {
        let (real, fake) = (self.real, self.fake);
        let refuse = |found: String, expected: String| {
            let hint = "Metrics of pairs judge reconstructions: picture by picture of the same name.";
            Err(Error::invalid(format!("{} of {}", metric.name(), fake.name()), found, expected, hint))
        };
        if real.len() != fake.len() {
            return refuse(format!("{} pictures", fake.len()), format!("{}, one for each real one", real.len()));
        }
        for i in 0..real.len() {
            let (first, second) = (real.key(i)?, fake.key(i)?);
            if stem(&first) != stem(&second) {
                return refuse(format!("\"{second}\""), format!("a counterpart of \"{first}\""));
            }
        }
        Ok(())
    }

    /// The scores of each of these metrics, which need pictures or pairs; `seen` is told how many went by.
    pub(super) fn look(
        &self,
        metrics: &[&Metric],
        network: Option<&dyn Extractor>,
        seen: impl Fn(usize, usize),
    ) -> Result<Vec<Vec<Score>>> {
        let empty = || Collected { values: vec![], requests: vec![], readings: vec![], points: Readings::default() };
        let mut collected: Vec<Collected> = metrics.iter().map(|_| empty()).collect();
        let mut sizes = BTreeSet::new();
        let paired = metrics.iter().any(|metric| metric.needs() == Needs::Pairs);
        for start in (0..self.fake.len()).step_by(READ) {
            let range = start..(start + READ).min(self.fake.len());
            let fakes = self.fake.read(range.clone())?;
            let reals = if paired { self.real.read(range.clone())? } else { vec![] };
            self.check_sizes(start, &reals, &fakes)?;
            sizes.extend(fakes.iter().map(|picture| picture.dimensions()));
            for (metric, collected) in metrics.iter().zip(&mut collected) {
                match &metric.kind {
                    Kind::AttributePrecision(_) => self.ask(start, &fakes, network, collected)?,
                    Kind::Keypoints(reader) => collected.points.read(reader, self.fake, start, &fakes)?,
                    Kind::MaskSsim(figures) => {
                        collected.values.extend(bodies::mask_ssim(figures, self.real, start, &reals, &fakes)?)
                    }
                    kind => collected.values.extend(values(kind, &reals, &fakes, network)?),
                }
            }
            seen(range.len(), range.end);
        }
        metrics.iter().zip(collected).map(|(metric, collected)| report(metric, collected, &sizes)).collect()
    }

    /// The pictures of a pair have one size; names both files.
    fn check_sizes(&self, start: usize, reals: &[RgbImage], fakes: &[RgbImage]) -> Result<()> {
        let differing = reals.iter().zip(fakes).position(|(real, fake)| real.dimensions() != fake.dimensions());
        let Some(at) = differing else { return Ok(()) };
        let size = |picture: &RgbImage| format!("{}×{}", picture.width(), picture.height());
        let named = |set: &dyn Pictures| -> Result<String> { Ok(format!("{}/{}", set.name(), set.key(start + at)?)) };
        let found = format!("{} pixels in {}", size(&fakes[at]), named(self.fake)?);
        let expected = format!("{} as {}", size(&reals[at]), named(self.real)?);
        Err(Error::invalid(
            "pair of pictures",
            found,
            expected,
            "Pairs are compared pixel by pixel: resize one of them.",
        ))
    }

    /// What was asked for in these pictures, and what the tagger sees.
    fn ask(
        &self,
        start: usize,
        fakes: &[RgbImage],
        network: Option<&dyn Extractor>,
        collected: &mut Collected,
    ) -> Result<()> {
        let Some(readings) = network.map(|network| network.labels(fakes)).transpose()?.flatten() else {
            let found = network.map_or("no network".to_string(), Extractor::name);
            return Err(Error::invalid("attribute precision", found, "a network that names attributes", ""));
        };
        for (i, reading) in readings.into_iter().enumerate() {
            let Some(asked) = self.fake.labels(start + i)? else {
                let found = format!("{} without labels", self.fake.name());
                return Err(Error::invalid("attribute precision", found, "pictures that were asked for by labels", ""));
            };
            let switch = |tag: &&str| {
                let ids = [asked.tags().find(tag), reading.tags().find(tag)];
                ids[0].is_some_and(|id| !asked.tags().tags()[id].continuous) && ids[1].is_some()
            };
            for tag in asked.on().into_iter().filter(switch) {
                collected.requests.push(Request { tag: tag.to_string(), labels: asked.clone() });
                collected.readings.push(reading.clone());
            }
        }
        Ok(())
    }

    /// Both sets as bytes `[N, 3, H, W]`, for metrics of everything at once.
    pub(super) fn everything(&self, metric: &Metric, seen: impl Fn(usize, usize)) -> Result<[Tensor; 2]> {
        let (real, fake) = (self.real, self.fake);
        let what = format!("{} of {}", metric.name(), fake.name());
        if real.len() != fake.len() {
            let expected = format!("{}, as many as real ones", real.len());
            return Err(Error::invalid(what, format!("{} pictures", fake.len()), expected, ""));
        }
        let (width, height) = real.read(0..1)?.first().map_or((0, 0), RgbImage::dimensions);
        let bytes = 6 * u64::from(width) * u64::from(height) * real.len() as u64;
        if bytes > EVERYTHING {
            let found = format!("{:.1} GiB of pixels", bytes as f64 / f64::from(1 << 30));
            let hint = "Take fewer or smaller pictures.";
            return Err(Error::invalid(what, found, format!("at most {} GiB", EVERYTHING >> 30), hint));
        }
        let tensor = |set: &dyn Pictures| -> Result<Tensor> {
            let mut parts = Vec::new();
            for start in (0..set.len()).step_by(READ) {
                let range = start..(start + READ).min(set.len());
                let pictures = set.read(range.clone())?;
                if let Some(at) = pictures.iter().position(|picture| picture.dimensions() != (width, height)) {
                    let found = format!("{}×{} pixels", pictures[at].width(), pictures[at].height());
                    let named = format!("{what}: {}/{}", set.name(), set.key(start + at)?);
                    return Err(Error::invalid(named, found, format!("{width}×{height}, as the first real one"), ""));
                }
                parts.push(bytes_of(&pictures)?);
                seen(range.len(), range.end);
            }
            Ok(Tensor::cat(&parts, 0)?)
        };
        Ok([tensor(real)?, tensor(fake)?])
    }
}

/// One number per picture or pair.
fn values(kind: &Kind, reals: &[RgbImage], fakes: &[RgbImage], network: Option<&dyn Extractor>) -> Result<Vec<f64>> {
    match kind {
        Kind::Perceptual => runs(fakes, |range| {
            let distances =
                network.map(|network| network.distances(&reals[range.clone()], &fakes[range])).transpose()?;
            distances.flatten().ok_or_else(|| {
                let found = network.map_or("no network".to_string(), Extractor::name);
                let hint = "The tagger does; LPIPS is such a distance too.";
                Error::invalid("perceptual distance", found, "a network that defines one", hint)
            })
        }),
        Kind::Sharpness => runs(fakes, |range| sharpness::sharpness_each(&bytes_of(&fakes[range])?)),
        Kind::Psnr => {
            runs(fakes, |range| psnr::psnr_each(&bytes_of(&reals[range.clone()])?, &bytes_of(&fakes[range])?))
        }
        Kind::Ssim(ssim) => {
            runs(fakes, |range| ssim.each(&bytes_of(&reals[range.clone()])?, &bytes_of(&fakes[range])?))
        }
        Kind::MsSsim(ssim) => {
            runs(fakes, |range| ssim.each(&bytes_of(&reals[range.clone()])?, &bytes_of(&fakes[range])?))
        }
        Kind::Lpips(network) => runs(fakes, |range| {
            let numbers = |pictures: &[RgbImage]| Ok::<Tensor, Error>(Images::from_rgb(pictures)?.tensor);
            lpips(network, &numbers(&reals[range.clone()])?, &numbers(&fakes[range])?)
        }),
        _ => Ok(vec![]),
    }
}

/// LPIPS of a few pairs at a time: the first maps of VGG are large.
fn lpips(network: &Lpips, first: &Tensor, second: &Tensor) -> Result<Vec<f64>> {
    const TOGETHER: usize = 8;
    let mut values = Vec::new();
    for start in (0..first.dim(0)?).step_by(TOGETHER) {
        let count = TOGETHER.min(first.dim(0)? - start);
        let few = |x: &Tensor| Ok::<Tensor, Error>(x.narrow(0, start, count)?.to_device(network.device())?);
        let found = network.distances(&few(first)?, &few(second)?)?.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
        values.extend(found.into_iter().map(f64::from));
    }
    Ok(values)
}

/// The numbers of pictures that stand together in runs of one size.
fn runs(pictures: &[RgbImage], each: impl Fn(std::ops::Range<usize>) -> Result<Vec<f64>>) -> Result<Vec<f64>> {
    let (mut values, mut start) = (Vec::with_capacity(pictures.len()), 0);
    for run in pictures.chunk_by(|a, b| a.dimensions() == b.dimensions()) {
        values.extend(each(start..start + run.len())?);
        start += run.len();
    }
    Ok(values)
}

/// Bytes `[N, 3, H, W]` of pictures of one size.
pub(super) fn bytes_of(pictures: &[RgbImage]) -> Result<Tensor> {
    let (width, height) = pictures.first().map_or((0, 0), RgbImage::dimensions);
    let planes = |picture| (0..3).flat_map(move |channel| RgbImage::as_raw(picture).iter().skip(channel).step_by(3));
    let bytes: Vec<u8> = pictures.iter().flat_map(planes).copied().collect();
    Ok(Tensor::from_vec(bytes, (pictures.len(), 3, height as usize, width as usize), &Device::Cpu)?)
}

fn report(metric: &Metric, collected: Collected, sizes: &BTreeSet<(u32, u32)>) -> Result<Vec<Score>> {
    let values = &collected.values;
    let smallest = sizes.iter().map(|(width, height)| *width.min(height)).min().unwrap_or(0);
    let score = match &metric.kind {
        Kind::Sharpness => sharpness::summary(values, &of_size(sizes))
            .warn_if(sizes.len() > 1, || "pictures of different sizes, whose sharpness does not compare".into()),
        Kind::Psnr => psnr::summary(values),
        Kind::Ssim(ssim) => ssim.summary(values),
        Kind::MsSsim(ssim) => ssim.summary(values, smallest as usize),
        Kind::Lpips(network) => lpips_score(network, values),
        Kind::Perceptual => Score::mean_of("perceptual distance", values, "mean over pairs").better(Best::Lowest),
        Kind::AttributePrecision(decision) => attribute_precision(&collected, *decision)?,
        Kind::Keypoints(_) => return collected.points.scores(),
        Kind::MaskSsim(_) => bodies::MASKED.masked_summary(values),
        _ => return Ok(vec![]),
    };
    Ok(vec![score])
}

fn of_size(sizes: &BTreeSet<(u32, u32)>) -> String {
    match sizes.first() {
        Some((width, height)) if sizes.len() == 1 => format!("{width}×{height}"),
        _ => "mixed".into(),
    }
}

fn attribute_precision(collected: &Collected, decision: Decision) -> Result<Score> {
    if collected.requests.is_empty() {
        let expected = "tags that the network knows, switched on";
        return Err(Error::invalid("attribute precision", "pictures without them", expected, ""));
    }
    Ok(AttributePrecision::of(&collected.requests, &collected.readings, decision)?.score())
}

fn lpips_score(network: &Lpips, values: &[f64]) -> Score {
    let trunk = match network.architecture() {
        Architecture::Alexnet => "alex",
        Architecture::Vgg16 => "vgg",
        Architecture::Vgg19 => "vgg19",
        Architecture::Squeezenet => "squeeze",
    };
    let hash =
        |card: Option<&crate::metrics::nets::weights::Card>| card.map_or("of no file", |card| &card.sha256).to_string();
    let [trunk_hash, heads] = network.cards().map(hash);
    let protocol =
        format!("version 0.1, no resizing, mean over pairs; weights of the trunk {trunk_hash}, heads {heads}");
    Score::mean_of(format!("LPIPS ({trunk})"), values, protocol).better(Best::Lowest)
}
