//! What the discriminators of anime2clothing see: how much of a picture one answer is about, and where their features of two
//! pictures differ.

use candle_core::{DType, Tensor, Var};
use image::imageops;
use image::{Rgb, RgbImage};

use crate::autograd::backward_for;
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::models::anime2clothing::{Adversaries, Anime2Clothing, Compared, Verdict};
use crate::ops::resample::upsample_nearest;
use crate::show::grid::Grid;
use crate::train::gan::Player;
use crate::{Error, Result};

/// How much of a picture's light is left where an answer does not see it.
const DIMMED: f32 = 0.3;

/// What the answer in the middle of a tower's map sees of a picture.
#[derive(Clone, Debug)]
pub struct Field {
    /// Answers along a side of the tower's map.
    pub answers: usize,
    /// Left, upper border, width and height of the pixels that the answer depends on, within the picture.
    pub seen: [usize; 4],
    /// How much it depends on each pixel, `[R, R]`: the sum over colours of the absolute derivatives, of the largest 1.
    pub weight: Tensor,
}

impl Adversaries {
    /// The fields of all towers of `Player::Discriminator` (pictures alone) or `Player::Domain` (beside their sources), from
    /// the derivatives of the middle answers: source and picture `[1, 3, R, R]` in [−1, 1].
    ///
    /// # Errors
    /// When the configuration has no such discriminator, or the pictures have another size.
    pub fn fields(&self, who: Player, source: &Tensor, picture: &Tensor) -> Result<Vec<Field>> {
        let at = Var::from_tensor(picture)?;
        let verdicts = self.verdicts(who, source, at.as_tensor())?;
        verdicts.iter().map(|verdict| field(&verdict.scores, at.as_tensor())).collect()
    }
}

fn field(scores: &Tensor, at: &Tensor) -> Result<Field> {
    let (_, _, height, width) = scores.dims4()?;
    let middle = scores.narrow(2, height / 2, 1)?.narrow(3, width / 2, 1)?;
    let gradient = backward_for(&middle, &[at])?.remove(at).ok_or_else(|| {
        let expected = "one that depends on its picture";
        Error::invalid("discriminator", "an answer without derivatives", expected, "")
    })?;
    let weight = gradient.get(0)?.abs()?.sum(0)?.to_dtype(DType::F32)?;
    let rows = weight.to_vec2::<f32>()?;
    let most = rows.iter().flatten().fold(0f32, |most, &v| most.max(v));
    let filled: Vec<(usize, usize)> = rows
        .iter()
        .enumerate()
        .flat_map(|(y, row)| row.iter().enumerate().filter(|(_, v)| **v > 0.0).map(move |(x, _)| (x, y)))
        .collect();
    let span = |of: fn(&(usize, usize)) -> usize| {
        let (least, most) = (filled.iter().map(of).min().unwrap_or(0), filled.iter().map(of).max());
        [least, most.map_or(0, |most| most + 1 - least)]
    };
    let ([left, wide], [top, high]) = (span(|p| p.0), span(|p| p.1));
    let weight = (weight / f64::from(most.max(f32::MIN_POSITIVE)))?;
    Ok(Field { answers: height, seen: [left, top, wide, high], weight })
}

impl Anime2Clothing {
    /// The patches that a discriminator judges (section 4, figure 7): per tower a photo, bright where the answer in the
    /// middle sees it, and how much that answer depends on each pixel (the root of it; white is most).
    ///
    /// # Errors
    /// When the data set holds no pairs of the model's size, there is no such pair, or no such discriminator.
    pub fn receptive_fields(&self, who: Player, pairs: &Dataset, place: usize) -> Result<Grid> {
        let [source, photo] = self.pair(pairs, place)?;
        let networks = self.networks()?;
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        let shown = pairs.image(place)?;
        for field in networks.fields(who, &source, &photo)? {
            let seen = Images::from_rgb(&[within(&shown, field.seen)])?.tensor;
            let weight = grey(&field.weight.sqrt()?)?;
            rows.push(Images::new(Tensor::cat(&[&seen, &weight], 0)?)?);
            let [_, _, wide, high] = field.seen;
            labels.push(format!("{0} × {0} answers, each about {wide} × {high} px", field.answers));
        }
        Ok(Grid::rows(rows)?.labels(labels).columns(["what it sees", "how much of it"]))
    }

    /// Where features differ (section 4, feature matching and input consistency): of the first tower of each discriminator,
    /// after each halving, the mean over channels of the absolute difference, white where it is largest. The domain
    /// discriminator compares the made picture with the photo; the other one with what the configuration says, the input or
    /// the photo. Captions are weight × mean, the terms of the loss.
    ///
    /// # Errors
    /// When the data set holds no pairs of the model's size, or there is no such pair.
    pub fn matching_maps(&self, pairs: &Dataset, place: usize) -> Result<Grid> {
        let [source, photo] = self.pair(pairs, place)?;
        let (networks, config) = (self.networks()?, self.config());
        let made = self.translate_of(pairs, &[place])?.tensor.to_device(self.device())?;
        let mut compared = vec![(Player::Domain, "domain discriminator: made and photo", &photo)];
        match config.compared {
            Compared::Nothing => {}
            Compared::Target => {
                compared.push((Player::Discriminator, "real/fake discriminator: made and photo", &photo))
            }
            Compared::Input | Compared::Both => {
                compared.push((Player::Discriminator, "real/fake discriminator: made and input", &source));
            }
        }
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        for (who, label, other) in compared {
            let [found, wanted] = [&made, other].map(|picture| networks.verdicts(who, &source, picture));
            let (maps, captions) = differences(&found?, &wanted?, &config.weights, config.size())?;
            let pictures = [made.clone(), other.clone()].into_iter().chain(maps);
            let pictures = pictures.map(|picture| Ok(picture.to_device(&candle_core::Device::Cpu)?));
            let pictures = Tensor::cat(&pictures.collect::<Result<Vec<_>>>()?, 0)?;
            let captions = [String::new(), String::new()].into_iter().chain(captions).collect();
            rows.push(Images::new(pictures.clamp(-1f32, 1f32)?)?.with_captions(captions)?);
            labels.push(label);
        }
        Ok(Grid::rows(rows)?.labels(labels))
    }

    /// Source and photo of a pair, `[1, 3, R, R]`.
    fn pair(&self, pairs: &Dataset, place: usize) -> Result<[Tensor; 2]> {
        crate::models::translation::check_pairs(pairs, self.config().size())?;
        let tensor = |picture: RgbImage| -> Result<Tensor> {
            Ok(Images::from_rgb(&[picture])?.tensor.to_device(self.device())?)
        };
        Ok([tensor(pairs.source_image(place)?)?, tensor(pairs.image(place)?)?])
    }
}

/// Maps `[1, 3, R, R]` in [−1, 1] of the first towers' features, and the terms of the loss.
fn differences(
    found: &[Verdict],
    wanted: &[Verdict],
    weights: &[f64],
    side: usize,
) -> Result<(Vec<Tensor>, Vec<String>)> {
    let (mut maps, mut captions) = (Vec::new(), Vec::new());
    let Some((found, wanted)) = found.first().zip(wanted.first()) else { return Ok((maps, captions)) };
    for ((found, wanted), weight) in found.features.iter().zip(&wanted.features).zip(weights) {
        let map = (found - wanted)?.abs()?.mean(1)?.get(0)?;
        let most = map.flatten_all()?.max(0)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let mean = map.mean_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let height = map.dims()[0];
        let scaled = grey(&(map / most.max(f64::MIN_POSITIVE))?)?;
        maps.push(upsample_nearest(&scaled, (side / height.max(1)).max(1))?);
        captions.push(format!("{height} px: {weight} × {mean:.3}"));
    }
    Ok((maps, captions))
}

/// A map `[H, W]` in [0, 1] as a picture `[1, 3, H, W]` in [−1, 1].
fn grey(map: &Tensor) -> Result<Tensor> {
    let (height, width) = map.dims2()?;
    let map = map.to_device(&candle_core::Device::Cpu)?.to_dtype(DType::F32)?;
    Ok(((map * 2.0)? - 1.0)?.broadcast_as((1, 3, height, width))?.contiguous()?)
}

/// The picture, dark outside of a rectangle.
fn within(picture: &RgbImage, [left, top, wide, high]: [usize; 4]) -> RgbImage {
    let dim = |pixel: &Rgb<u8>| Rgb(pixel.0.map(|v| (f32::from(v) * DIMMED) as u8));
    let mut dark = RgbImage::from_fn(picture.width(), picture.height(), |x, y| dim(picture.get_pixel(x, y)));
    let seen = imageops::crop_imm(picture, left as u32, top as u32, wide as u32, high as u32).to_image();
    imageops::replace(&mut dark, &seen, left as i64, top as i64);
    dark
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::data::avatar::Avatar;
    use crate::models::anime2clothing::{Anime2ClothingConfig, Schedule, Shape};

    fn narrow(resolution: usize) -> Anime2ClothingConfig {
        let shape = Shape { resolution, width: 1.0 / 32.0, judge_width: 1.0 / 32.0 };
        Anime2ClothingConfig { shape, schedule: Schedule::constant(resolution, 2, 2), ..Anime2Clothing::paper() }
    }

    /// specs/clothing.md A.2.2: the whole picture, 156 px and 36 px.
    #[test]
    fn fields_have_the_published_sizes() {
        let model = narrow(256).build(&Device::Cpu).unwrap();
        let noise = crate::rng::Seed(1).stream("x").uniform_tensor(&[1, 3, 256, 256], &Device::Cpu).unwrap();
        let fields = model.networks().unwrap().fields(Player::Discriminator, &noise, &noise).unwrap();
        let found: Vec<(usize, usize, usize)> = fields.iter().map(|f| (f.answers, f.seen[2], f.seen[3])).collect();
        assert_eq!(found, [(1, 256, 256), (13, 156, 156), (61, 36, 36)]);
        // Around the middle answer, the 31st of 61 from the upper border.
        assert_eq!(fields[2].seen[..2], [30 * 4 - 10; 2]);
    }

    #[test]
    fn pictures_of_a_pair() {
        let pairs = Avatar::costumes().size(64).count(4).dataset().unwrap();
        let model = narrow(64).build(&Device::Cpu).unwrap();
        let fields = model.receptive_fields(Player::Discriminator, &pairs, 1).unwrap();
        assert_eq!(fields.len(), 6);
        let maps = model.matching_maps(&pairs, 1).unwrap();
        // Made and compared, and the four halvings of the first tower, for either discriminator.
        assert_eq!(maps.len(), 12);
        let of_pix2pix = Anime2Clothing::table1("a").unwrap().tiny().build(&Device::Cpu).unwrap();
        let message = of_pix2pix.receptive_fields(Player::Discriminator, &pairs, 1).unwrap_err().to_string();
        assert!(message.contains("discriminator"), "{message}");
        let patches = of_pix2pix.networks().unwrap().fields(Player::Domain, &x(), &x()).unwrap();
        assert_eq!((patches[0].answers, patches[0].seen[2]), (6, 64));
    }

    fn x() -> Tensor {
        crate::rng::Seed(1).stream("x").uniform_tensor(&[1, 3, 64, 64], &Device::Cpu).unwrap()
    }
}
