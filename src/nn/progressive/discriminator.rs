//! The discriminator that grows (Karras et al. 2018, table 2), with or without pose maps and blur.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::SLOPE;
use super::equal::{Equal, EqualConv2d, EqualLinear};
use super::level::{Level, lerp_signals};
use super::pose::{Inject, PosedConv2d, Poses, check_poses};
use super::resample::down_conv2d;
use super::shape::GrowingShape;
use crate::nn::critic::{Critic, Signal};
use crate::nn::params::Scope;
use crate::ops::cast::full;
use crate::{Error, Result};

/// How many pictures the standard deviation over the minibatch is taken of (section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// The whole minibatch, whatever its size: the paper's own runs, and ours with PSGAN's minibatches of 5 and 2.
    Whole,
    /// That many, or all when there are fewer; the minibatch must be a multiple. 4 in the authors' later presets.
    Of(usize),
}

impl Group {
    fn size(self, pictures: usize) -> usize {
        match self {
            Group::Whole => pictures,
            Group::Of(size) => size,
        }
    }
}

/// What differs between the discriminators that grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiscriminatorSpec {
    /// Groups of the standard deviation over the minibatch.
    pub group: Group,
    /// Whether features are blurred before they are halved (Karras et al. 2019, section 2).
    pub blur: bool,
    /// Pose maps per picture; 0 for none.
    pub keypoints: usize,
    /// Where they come in.
    pub inject: Inject,
    /// Numbers that a second head reads off a picture, a latent vector or classes; 0 for no such head.
    pub reads: usize,
    /// Whether pictures come in twos, of one and the same character, and each is judged beside the other: the second half
    /// of a minibatch are the partners of the first half, in the same order (Donahue et al., "Semantically Decomposing the
    /// Latent Spaces of Generative Adversarial Networks", ICLR 2018, section 3.2).
    pub twos: bool,
}

impl Default for DiscriminatorSpec {
    /// Progressive GAN's: groups of 4, no blur, no poses.
    fn default() -> Self {
        DiscriminatorSpec {
            group: Group::Of(4),
            blur: false,
            keypoints: 0,
            inject: Inject::Features,
            reads: 0,
            twos: false,
        }
    }
}

/// From a picture of any resolution up to the finished one, and its key points if there are any, to a score.
/// Parameters: `from_rgb.<resolution>`, `blocks.<resolution>.{conv0, conv1, conv, dense0, dense1, reader}`.
#[derive(Clone, Debug)]
pub struct Discriminator {
    shape: GrowingShape,
    spec: DiscriminatorSpec,
    from_rgb: Vec<PosedConv2d>,
    /// From 8 px on.
    blocks: Vec<Block>,
    conv: PosedConv2d,
    dense0: EqualLinear,
    dense1: EqualLinear,
    reader: Option<EqualLinear>,
}

/// Two convolutions, halving.
#[derive(Clone, Debug)]
struct Block {
    conv0: PosedConv2d,
    conv1: EqualConv2d,
    fused: bool,
    blur: bool,
}

impl Discriminator {
    /// The network of `shape`, its parameters taken from `scope`.
    ///
    /// # Errors
    /// When the shape cannot be built, or the store holds a parameter with another shape.
    pub fn new(shape: &GrowingShape, spec: DiscriminatorSpec, scope: &Scope) -> Result<Discriminator> {
        shape.check()?;
        if spec.group == Group::Of(0) {
            return Err(Error::invalid("group of the minibatch deviation", "0", "1 or more, or the whole batch", ""));
        }
        let with = |wanted: bool| if wanted { spec.keypoints } else { 0 };
        let (to_features, to_picture) = (with(spec.inject.with_features()), with(spec.inject.with_picture()));
        let (blocks, heads) = (scope.pp("blocks"), scope.pp("from_rgb"));
        let head = |resolution: usize| {
            let scope = heads.pp(resolution.to_string());
            PosedConv2d::new(&scope, [3, to_picture], shape.channels(resolution), 1, Equal::relu())
        };
        let block = |resolution: usize| -> Result<Block> {
            let (channels, after) = (shape.channels(resolution), shape.channels(resolution / 2));
            let scope = blocks.pp(resolution.to_string());
            Ok(Block {
                conv0: PosedConv2d::new(&scope.pp("conv0"), [channels, to_features], channels, 3, Equal::relu())?,
                conv1: EqualConv2d::new(&scope.pp("conv1"), channels, after, 3, Equal::relu())?,
                fused: shape.fused(resolution),
                blur: spec.blur,
            })
        };
        let (last, hidden, scope) = (shape.channels(4), shape.hidden(), blocks.pp("4"));
        let seen = if spec.twos { 2 * last + 1 } else { last + 1 };
        let reader = |n: usize| EqualLinear::new(&scope.pp("reader"), hidden, n, Equal::linear(1.0));
        Ok(Discriminator {
            shape: shape.clone(),
            spec,
            from_rgb: shape.resolutions().map(head).collect::<Result<_>>()?,
            blocks: shape.resolutions().skip(1).map(block).collect::<Result<_>>()?,
            conv: PosedConv2d::new(&scope.pp("conv"), [seen, to_features], last, 3, Equal::relu())?,
            dense0: EqualLinear::new(&scope.pp("dense0"), 16 * last, hidden, Equal::relu())?,
            dense1: EqualLinear::new(&scope.pp("dense1"), hidden, 1, Equal::linear(1.0))?,
            reader: if spec.reads > 0 { Some(reader(spec.reads)?) } else { None },
        })
    }

    /// Pictures `[N, 3, r, r]` of the level's resolution r, in [−1, 1], and as many poses → scores `[N, 1]`, f32.
    ///
    /// # Errors
    /// When the shapes do not fit, the network does not have this level, or the minibatch cannot be grouped.
    pub fn forward(&self, pictures: &Tensor, poses: Option<&Poses>, level: Level) -> Result<Tensor> {
        full(&self.at(level, poses)?.logit(pictures)?)
    }

    /// The discriminator of one level and these poses, which can be penalised.
    ///
    /// # Errors
    /// When the network does not have this level.
    pub fn at<'a>(&'a self, level: Level, poses: Option<&'a Poses>) -> Result<Judge<'a>> {
        level.check(&self.shape)?;
        Ok(Judge { network: self, level, poses })
    }

    fn enter<S: Signal>(&self, pictures: &S, at: usize, poses: Option<&Poses>) -> Result<S> {
        let layer = self.from_rgb[at].layer()?;
        pictures.conv2d(&layer.of_features())?.shift(&|x| layer.add_poses(x, poses))?.leaky_relu(SLOPE)
    }

    fn score<S: Signal>(&self, pictures: &S, poses: Option<&Poses>, level: Level) -> Result<S> {
        self.seen(pictures, poses, level)?.linear(&self.dense1.layer()?)
    }

    /// What the heads read.
    fn seen<S: Signal>(&self, pictures: &S, poses: Option<&Poses>, level: Level) -> Result<S> {
        let (side, dims) = (level.resolution, pictures.value().dims());
        let n = dims.first().copied().unwrap_or(0);
        if dims != [n, 3, side, side] {
            return Err(Error::shape("discriminator: pictures", dims, format!("[N, 3, {side}, {side}]")));
        }
        check_poses(poses, self.spec.keypoints, n, side)?;
        let halvings = side.ilog2() as usize - 2;
        let mut x = self.enter(pictures, halvings, poses)?;
        for (i, block) in self.blocks[..halvings].iter().enumerate().rev() {
            x = block.forward(&x, poses)?;
            if i + 1 == halvings && level.old() > 0.0 {
                let old = self.enter(&pictures.avg_pool2d(2)?, i, poses)?;
                x = lerp_signals(&x, &old, level.old())?;
            }
        }
        self.last(&x, poses)
    }

    /// 4 px: the partner's features, the deviation over the minibatch, a convolution, a dense layer.
    fn last<S: Signal>(&self, x: &S, poses: Option<&Poses>) -> Result<S> {
        let group = self.spec.group.size(x.value().dims()[0]);
        let layer = self.conv.layer()?;
        let x = if self.spec.twos { x.cat(&x.linear_map(&partners)?, 1)? } else { x.clone() };
        let x = x.minibatch_deviation(group)?.conv2d(&layer.of_features())?;
        let x = x.shift(&|x| layer.add_poses(x, poses))?.leaky_relu(SLOPE)?;
        x.flatten()?.linear(&self.dense0.layer()?)?.leaky_relu(SLOPE)
    }
}

/// Both halves of a minibatch in each other's place.
fn partners(x: &Tensor) -> Result<Tensor> {
    let n = x.dims()[0];
    if !n.is_multiple_of(2) {
        return Err(Error::invalid("discriminator: pictures in twos", n.to_string(), "an even number", ""));
    }
    Ok(Tensor::cat(&[x.narrow(0, n / 2, n / 2)?, x.narrow(0, 0, n / 2)?], 0)?)
}

impl Block {
    fn forward<S: Signal>(&self, x: &S, poses: Option<&Poses>) -> Result<S> {
        let layer = self.conv0.layer()?;
        let x = x.conv2d(&layer.of_features())?.shift(&|x| layer.add_poses(x, poses))?.leaky_relu(SLOPE)?;
        let x = if self.blur { x.blur()? } else { x };
        // The activation comes after the mean in both ways, as in the authors' fused layers.
        down_conv2d(&x, self.conv1.weight()?, self.conv1.bias()?, self.fused)?.leaky_relu(SLOPE)
    }
}

/// A [`Discriminator`] at one level, for the poses of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    network: &'a Discriminator,
    level: Level,
    poses: Option<&'a Poses>,
}

impl Judge<'_> {
    /// Scores `[N, 1]` of pictures, and what the second head, if there is one, reads off them, `[N, reads]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn with_reading(&self, pictures: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
        let seen = self.network.seen(pictures, self.poses, self.level)?;
        let read = self.network.reader.as_ref().map(|reader| reader.forward(&seen)).transpose()?;
        Ok((self.network.dense1.forward(&seen)?, read))
    }
}

impl Critic for Judge<'_> {
    fn logit<S: Signal>(&self, x: &S) -> Result<S> {
        self.network.score(x, self.poses, self.level)
    }
}
