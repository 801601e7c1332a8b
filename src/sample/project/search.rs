//! The search itself.

use candle_core::{DType, Tensor};

use super::{ProjectOptions, Projection};
use crate::autograd::backward_once;
use crate::data::batch::Images;
use crate::metrics::nets::perceptual::{Looks, Perceptual};
use crate::models::stylegan::{Generator, Noise, Stylegan, Styles, Synthesis};
use crate::nn::init::Init;
use crate::nn::params::{ParamStore, Training};
use crate::ops::resample::avg_pool2d;
use crate::sample::seeds;
use crate::train::gan::Player;
use crate::train::optim::Adam;
use crate::train::plan::AdamSettings;
use crate::train::print_line;
use crate::{Error, Result};

/// The smallest side at which the noise is still looked at.
const SMALLEST: usize = 8;
/// Lines of a search.
const LINES: usize = 10;

impl Stylegan {
    /// The styles and the noise with which this model draws these pictures most alike. The pictures have the model's size:
    /// [`Images::open`] brings a file to it.
    ///
    /// # Errors
    /// When there is no picture, they have another size, or an option cannot be used.
    pub fn project(&self, targets: &Images, options: ProjectOptions) -> Result<Projection> {
        options.check()?;
        let (size, found) = (self.config().size(), targets.size());
        if targets.is_empty() || found != (size, size) {
            let found = format!("{} pictures of {}×{} pixels", targets.len(), found.1, found.0);
            let hint =
                "`Images::open(file, &ImagePolicy::new(size))` brings a picture to a size; so does `tachie project`.";
            return Err(Error::invalid("projection: targets", found, format!("{size}×{size} pixels"), hint));
        }
        let eye = match &options.eye {
            Some(eye) => eye.clone(),
            None => Perceptual::builtin(self.device())?,
        };
        let networks = self.networks()?;
        Search::new(networks.generator(), self.layers(), targets, &eye, &options)?.run()
    }

    /// The mean of `samples` styles `[1, W]`, and the root of their mean squared distance from it.
    fn spread(generator: &Generator, latent: usize, options: &ProjectOptions) -> Result<(Tensor, f64)> {
        let z = seeds::fresh(options.seed, [options.samples, latent], generator.device())?;
        let w = generator.mapping().forward(&z)?;
        let mean = w.mean_keepdim(0)?;
        let squares = w.broadcast_sub(&mean)?.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        Ok((mean, (squares / options.samples as f64).sqrt()))
    }
}

struct Search<'a> {
    generator: &'a Generator,
    layers: usize,
    targets: &'a Images,
    eye: &'a Perceptual,
    options: &'a ProjectOptions,
    wanted: Looks,
    /// Holds `e.w` `[N, W]` and `e.noise` `[N, L]`: an encoder's answers, without the encoder.
    params: ParamStore,
    deviation: f64,
    /// Sides of the planes of noise.
    sides: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(
        generator: &'a Generator,
        layers: usize,
        targets: &'a Images,
        eye: &'a Perceptual,
        options: &'a ProjectOptions,
    ) -> Result<Search<'a>> {
        let level = generator.level()?;
        let sides = Synthesis::noise_sides(level);
        let latent = generator.mean().elem_count();
        let (mean, deviation) = Stylegan::spread(generator, latent, options)?;
        let own = generator.synthesis().own_noise(level)?;
        let params = ParamStore::blank(generator.device(), DType::F32)?;
        let scope = params.view(Training::All).pp(Player::Encoder.prefix());
        let n = targets.len();
        for (name, start) in [("w", &mean), ("noise", &own)] {
            scope.param(name, &[n, start.dims()[1]], Init::Const(0.0))?;
            let start = start.broadcast_as((n, start.dims()[1]))?.contiguous()?;
            for (_, var) in params.trainable(&format!("{}.{name}", Player::Encoder.prefix())) {
                var.set(&start)?;
            }
        }
        let wanted = eye.look(&targets.tensor.to_device(generator.device())?)?.detach();
        Ok(Search { generator, layers, targets, eye, options, wanted, params, deviation, sides })
    }

    fn param(&self, name: &str) -> Result<Tensor> {
        let n = self.targets.len();
        let scope = self.params.view(Training::All).pp(Player::Encoder.prefix());
        let width = if name == "w" { self.generator.mean().elem_count() } else { self.noise_len() };
        scope.param(name, &[n, width], Init::Const(0.0))
    }

    fn noise_len(&self) -> usize {
        self.sides.iter().map(|side| side * side).sum()
    }

    fn run(self) -> Result<Projection> {
        let settings = AdamSettings { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
        let mut adam = Adam::new(Player::Encoder, &self.params, settings)?;
        let (w, noise) = (self.param("w")?, self.param("noise")?);
        let (steps, mut losses, mut frames) = (self.options.steps, Vec::new(), Vec::new());
        self.even_out(&noise)?;
        for step in 0..steps {
            let done = step as f64 / steps as f64;
            let deviation = self.deviation * self.options.wandering_at(done);
            let wander = self.options.seed.stream(&format!("wandering/{step}")).normal_tensor(w.dims(), w.device())?;
            let pictures = self.draw(&(&w + (wander * deviation)?)?, &noise)?;
            let distance = self.eye.distances(&self.wanted, &self.eye.look(&shown(&pictures)?)?)?.sum_all()?;
            let pattern = self.pattern(&noise)?;
            losses.push(f64::from(distance.to_dtype(DType::F32)?.to_scalar::<f32>()?) / self.targets.len() as f64);
            if !losses[step].is_finite() {
                let hint = "Are the model's weights whole? A lower rate may help.";
                return Err(Error::invalid("projection: distance", losses[step].to_string(), "a number", hint));
            }
            if self.options.frames > 0 && step.is_multiple_of(steps.div_ceil(self.options.frames)) {
                frames.push(Images::new(pictures.detach().clamp(-1f32, 1f32)?)?);
            }
            if !self.options.quiet && step.is_multiple_of(steps.div_ceil(LINES)) {
                print_line(&format!("step {step} of {steps}: {} {:.4}", self.eye.name(), losses[step]));
            }
            let grads = backward_once((distance + (pattern * self.options.regularity)?)?)?;
            adam.step(&grads, self.options.rate_at(done))?;
            self.even_out(&noise)?;
        }
        let pictures = self.draw(&w, &noise)?.detach().clamp(-1f32, 1f32)?;
        let distances = self.eye.distances(&self.wanted, &self.eye.look(&pictures)?)?.detach().to_vec1::<f32>()?;
        if !self.options.quiet {
            let mean = distances.iter().sum::<f32>() / distances.len() as f32;
            print_line(&format!("done after step {steps}: {} {mean:.4}", self.eye.name()));
        }
        Ok(Projection {
            w: w.detach().copy()?,
            noise: noise.detach().copy()?,
            targets: self.targets.clone(),
            pictures: Images::new(pictures)?,
            distances: distances.into_iter().map(f64::from).collect(),
            losses,
            eye: self.eye.name(),
            frames,
        })
    }

    fn draw(&self, w: &Tensor, noise: &Tensor) -> Result<Tensor> {
        self.generator.draw(&Styles::of(w, self.layers), &Noise::Drawn(noise))
    }

    /// The planes of noise, each `[N, 1, side, side]`.
    fn planes(&self, noise: &Tensor) -> Result<Vec<Tensor>> {
        let (n, mut taken) = (self.targets.len(), 0);
        let plane = |&side: &usize| -> Result<Tensor> {
            let plane = noise.narrow(1, taken, side * side)?.contiguous()?.reshape((n, 1, side, side))?;
            taken += side * side;
            Ok(plane)
        };
        self.sides.iter().map(plane).collect()
    }

    /// What neighbouring pixels have in common: the square of their mean product, across and down, of every plane and of
    /// its means over 2×2, 4×4, … pixels down to 8 px; summed over planes and pictures.
    fn pattern(&self, noise: &Tensor) -> Result<Tensor> {
        let mut total = Tensor::zeros((), noise.dtype(), noise.device())?;
        for plane in self.planes(noise)? {
            let mut plane = plane;
            loop {
                for axis in [2, 3] {
                    let product = (&plane * plane.roll(1, axis)?)?;
                    total = (total + product.flatten_from(1)?.mean(1)?.sqr()?.sum_all()?)?;
                }
                if plane.dims()[2] <= SMALLEST {
                    break;
                }
                plane = avg_pool2d(&plane, 2)?;
            }
        }
        Ok(total)
    }

    /// Brings every plane of noise back to mean 0 and deviation 1.
    fn even_out(&self, noise: &Tensor) -> Result<()> {
        let even = |plane: &Tensor| -> Result<Tensor> {
            let flat = plane.detach().flatten_from(1)?;
            let centred = flat.broadcast_sub(&flat.mean_keepdim(1)?)?;
            let square = (centred.sqr()?.mean_keepdim(1)? + 1e-12)?;
            Ok(centred.broadcast_div(&square.sqrt()?)?)
        };
        let planes = self.planes(&noise.detach())?.iter().map(even).collect::<Result<Vec<_>>>()?;
        crate::ops::adam::lerp(noise, &Tensor::cat(&planes, 1)?, 1.0)
    }
}

/// Pictures as they are shown, cut off at black and white, with the gradient of pictures that are not: a search can come
/// back from beyond.
fn shown(pictures: &Tensor) -> Result<Tensor> {
    let cut = (pictures.clamp(-1f32, 1f32)? - pictures)?.detach();
    Ok((pictures + cut)?)
}
