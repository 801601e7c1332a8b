//! What was found, as a value that shows itself, saves itself and is drawn with again.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::data::batch::Images;
use crate::models::stylegan::{Noise, Stylegan, Styles};
use crate::sample::{in_chunks, rows};
use crate::show::animation::Animation;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::grid::Grid;
use crate::show::plot::{Plot, Series};
use crate::show::save;
use crate::weights::safetensors;
use crate::{Error, Result};

/// Frames of a film per second.
const FPS: f64 = 25.0;
/// What the metadata of a file of styles says it is.
const KIND: &str = "projection";

/// Styles and noise that draw given pictures.
#[derive(Clone)]
pub struct Projection {
    /// The style of each picture, the same for all layers: `[N, W]`.
    pub w: Tensor,
    /// The noise of each picture, all layers one after the other: `[N, L]`.
    pub noise: Tensor,
    /// The wanted pictures.
    pub targets: Images,
    /// What the model draws with these styles and this noise.
    pub pictures: Images,
    /// How different each is from the wanted one.
    pub distances: Vec<f64>,
    /// The mean distance at each step of the search.
    pub losses: Vec<f64>,
    /// What distances these are ("LPIPS (vgg)").
    pub eye: String,
    /// Pictures of the search, all targets in each.
    pub frames: Vec<Images>,
}

/// The metadata of a file of styles.
#[derive(Serialize, Deserialize)]
struct About {
    kind: String,
    eye: String,
    distances: Vec<f64>,
}

/// Styles and noise that were kept in a file.
#[derive(Clone, Debug)]
pub struct Projected {
    /// `[N, W]`.
    pub w: Tensor,
    /// `[N, L]`.
    pub noise: Tensor,
}

impl Projected {
    /// Reads what [`Projection::save`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn open(path: impl AsRef<Path>, device: &Device) -> Result<Projected> {
        let path = path.as_ref();
        let mut file = safetensors::read(path)?;
        let about = file.metadata.get(safetensors::ABOUT).and_then(|text| serde_json::from_str::<About>(text).ok());
        let wrong = |found: &str| {
            let hint = "`tachie project` and `Projection::save` write projected.safetensors.";
            Error::file(path, found, "the styles of a projection", hint)
        };
        if about.is_none_or(|about| about.kind != KIND) {
            return Err(wrong("something else"));
        }
        match (file.tensors.remove("w"), file.tensors.remove("noise")) {
            (Some(w), Some(noise)) if w.rank() == 2 && noise.rank() == 2 && w.dims()[0] == noise.dims()[0] => {
                Ok(Projected { w: w.to_device(device)?, noise: noise.to_device(device)? })
            }
            _ => Err(wrong("no tensors w [N, W] and noise [N, L]")),
        }
    }
}

impl Projection {
    /// Styles and noise alone.
    pub fn found(&self) -> Projected {
        Projected { w: self.w.clone(), noise: self.noise.clone() }
    }

    /// A row for each picture: the wanted one and the drawn one, with their distance.
    ///
    /// # Errors
    /// When pictures cannot be read back.
    pub fn grid(&self) -> Result<Grid> {
        let (targets, pictures) = (self.targets.to_rgb()?, self.pictures.to_rgb()?);
        let row = |((target, picture), distance): ((&image::RgbImage, &image::RgbImage), &f64)| {
            let captions = vec![String::new(), format!("{distance:.4}")];
            Images::from_rgb(&[target.clone(), picture.clone()])?.with_captions(captions)
        };
        let rows = targets.iter().zip(&pictures).zip(&self.distances).map(row).collect::<Result<Vec<_>>>()?;
        Ok(Grid::rows(rows)?.columns(["wanted", "projected"]))
    }

    /// The mean distance over the steps.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn plot(&self) -> Result<Plot> {
        Ok(Plot::new().x_label("step").y_label(&self.eye).line(Series::of(&self.eye, self.losses.clone())))
    }

    /// The search as a film, the first wanted picture beside what was drawn for it.
    ///
    /// # Errors
    /// When no frames were kept.
    pub fn animation(&self) -> Result<Animation> {
        let mut frames = Vec::new();
        for images in self.frames.iter().chain([&self.pictures]) {
            frames.extend(images.take(1)?.to_rgb()?);
        }
        if self.frames.is_empty() {
            let hint = "Ask for them: `ProjectOptions::default().frames(100)`.";
            return Err(Error::invalid("frames of a projection", "none", "at least one", hint));
        }
        let still = vec![self.targets.take(1)?.to_rgb()?.remove(0); frames.len()];
        Animation::new(still, FPS)?.beside(&Animation::new(frames, FPS)?)
    }

    /// Writes a folder: `projected.safetensors` (styles `w` and `noise`), `target.png` and `projected.png` (of several
    /// pictures `target0.png` and so on), `distance.svg`, and `search.gif` if frames were kept.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        let pairs = self.targets.to_rgb()?.into_iter().zip(self.pictures.to_rgb()?);
        let single = self.targets.len() == 1;
        for (i, (target, picture)) in pairs.enumerate() {
            let number = if single { String::new() } else { i.to_string() };
            save::write_whole(&folder.join(format!("target{number}.png")), &save::png(&target)?)?;
            save::write_whole(&folder.join(format!("projected{number}.png")), &save::png(&picture)?)?;
        }
        let about = About { kind: KIND.into(), eye: self.eye.clone(), distances: self.distances.clone() };
        let path = folder.join("projected.safetensors");
        let about = serde_json::to_string(&about).map_err(|e| Error::io("encode what is known of", &path, e.into()))?;
        let tensors = BTreeMap::from([("w".to_string(), self.w.clone()), ("noise".to_string(), self.noise.clone())]);
        safetensors::write(&path, &tensors, &about)?;
        self.plot()?.save(folder.join("distance.svg"))?;
        if !self.frames.is_empty() {
            self.animation()?.save(folder.join("search.gif"))?;
        }
        Ok(())
    }
}

impl Stylegan {
    /// The pictures of styles and noise that a [projection](Stylegan::project) has found.
    ///
    /// # Errors
    /// When they are not of this model.
    pub fn draw_projected(&self, found: &Projected) -> Result<Images> {
        let networks = self.networks()?;
        let (latent, n) = (self.config().network.latent, found.w.dims().first().copied().unwrap_or(0));
        if found.w.dims() != [n, latent] {
            let hint = "Was it projected with this model?";
            let shape = format!("{:?}", found.w.dims());
            return Err(Error::invalid("projected styles", shape, format!("[N, {latent}]"), hint));
        }
        let made = in_chunks("projected styles", n, |range| {
            let styles = Styles::of(&rows(&found.w, &range)?, self.layers());
            networks.generator().draw(&styles, &Noise::Drawn(&rows(&found.noise, &range)?))
        })?;
        Images::new(made.clamp(-1f32, 1f32)?)
    }
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, steps) = (self.distances.len(), self.losses.len());
        let mean = self.distances.iter().sum::<f64>() / n.max(1) as f64;
        let first = self.losses.first().copied().unwrap_or(f64::NAN);
        write!(f, "Projection({n} pictures, {steps} steps, {} from {first:.4} to {mean:.4})", self.eye)
    }
}

impl Show for Projection {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::column(&[Bundle::plain(format!("{self:?}")), self.grid()?.bundle()?, self.plot()?.bundle()?]))
    }
}

displayable!(Projection);
