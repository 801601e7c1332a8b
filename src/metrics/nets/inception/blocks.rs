//! The blocks, by the letters that torchvision gives them.

use candle_core::Tensor;

use super::super::layer::Layer;
use crate::nn::conv::ConvSpec;
use crate::nn::params::Scope;
use crate::ops::max_pool::{Rounding, max_pool2d};
use crate::ops::resample::avg_pool2d_inside;
use crate::{Error, Result};

/// Added to the variances of the batch norms.
const EPSILON: f64 = 1e-3;

/// Makes the layers below a name.
pub(super) struct Unit<'a>(pub(super) &'a Scope);

impl Unit<'_> {
    pub(super) fn layer(&self, channels: [usize; 2], kernel: [usize; 2], spec: ConvSpec) -> Result<Layer> {
        Layer::normalized(self.0, channels, kernel, spec, EPSILON)
    }

    /// Of stride 1, padded so that the size remains.
    fn same(&self, name: &str, channels: [usize; 2], kernel: [usize; 2]) -> Result<Layer> {
        let padding = [(kernel[0] - 1) / 2, (kernel[1] - 1) / 2];
        Unit(&self.0.pp(name)).layer(channels, kernel, ConvSpec::padded(padding))
    }

    /// 3×3 of stride 2 without padding.
    fn half(&self, name: &str, channels: [usize; 2]) -> Result<Layer> {
        Unit(&self.0.pp(name)).layer(channels, [3, 3], ConvSpec::default().stride(2))
    }
}

/// One after the other.
fn chain(x: &Tensor, layers: &[Layer]) -> Result<Tensor> {
    let Some((first, rest)) = layers.split_first() else {
        return Err(Error::invalid("Inception: branch", "no layers", "at least one", ""));
    };
    rest.iter().try_fold(first.forward(x)?, |x, layer| layer.forward(&x))
}

/// The mean pool and the 1×1 convolution behind it. Both are linear, one in space, the other in channels, so that they
/// may change places: the pool then has the fewer channels.
fn mean_branch(x: &Tensor, layer: &Layer) -> Result<Tensor> {
    layer.finish(&avg_pool2d_inside(&layer.convolution(x)?, 3, 1, 1)?)
}

fn concatenated(branches: &[Tensor]) -> Result<Tensor> {
    Ok(Tensor::cat(branches, 1)?)
}

#[derive(Clone, Debug)]
pub(super) struct BlockA {
    one: Layer,
    five: [Layer; 2],
    double: [Layer; 3],
    pool: Layer,
}

impl BlockA {
    pub(super) fn new(scope: &Scope, inputs: usize, pooled: usize) -> Result<BlockA> {
        let unit = Unit(scope);
        Ok(BlockA {
            one: unit.same("branch1x1", [inputs, 64], [1, 1])?,
            five: [unit.same("branch5x5_1", [inputs, 48], [1, 1])?, unit.same("branch5x5_2", [48, 64], [5, 5])?],
            double: [
                unit.same("branch3x3dbl_1", [inputs, 64], [1, 1])?,
                unit.same("branch3x3dbl_2", [64, 96], [3, 3])?,
                unit.same("branch3x3dbl_3", [96, 96], [3, 3])?,
            ],
            pool: unit.same("branch_pool", [inputs, pooled], [1, 1])?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let branches = [self.one.forward(x)?, chain(x, &self.five)?, chain(x, &self.double)?];
        let [one, five, double] = branches;
        concatenated(&[one, five, double, mean_branch(x, &self.pool)?])
    }
}

#[derive(Clone, Debug)]
pub(super) struct BlockB {
    three: Layer,
    double: [Layer; 3],
}

impl BlockB {
    pub(super) fn new(scope: &Scope) -> Result<BlockB> {
        let unit = Unit(scope);
        Ok(BlockB {
            three: unit.half("branch3x3", [288, 384])?,
            double: [
                unit.same("branch3x3dbl_1", [288, 64], [1, 1])?,
                unit.same("branch3x3dbl_2", [64, 96], [3, 3])?,
                unit.half("branch3x3dbl_3", [96, 96])?,
            ],
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let pooled = max_pool2d(x, 3, 2, 0, Rounding::Down)?;
        concatenated(&[self.three.forward(x)?, chain(x, &self.double)?, pooled])
    }
}

#[derive(Clone, Debug)]
pub(super) struct BlockC {
    one: Layer,
    seven: [Layer; 3],
    double: [Layer; 5],
    pool: Layer,
}

impl BlockC {
    pub(super) fn new(scope: &Scope, c: usize) -> Result<BlockC> {
        let unit = Unit(scope);
        Ok(BlockC {
            one: unit.same("branch1x1", [768, 192], [1, 1])?,
            seven: [
                unit.same("branch7x7_1", [768, c], [1, 1])?,
                unit.same("branch7x7_2", [c, c], [1, 7])?,
                unit.same("branch7x7_3", [c, 192], [7, 1])?,
            ],
            double: [
                unit.same("branch7x7dbl_1", [768, c], [1, 1])?,
                unit.same("branch7x7dbl_2", [c, c], [7, 1])?,
                unit.same("branch7x7dbl_3", [c, c], [1, 7])?,
                unit.same("branch7x7dbl_4", [c, c], [7, 1])?,
                unit.same("branch7x7dbl_5", [c, 192], [1, 7])?,
            ],
            pool: unit.same("branch_pool", [768, 192], [1, 1])?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let branches = [self.one.forward(x)?, chain(x, &self.seven)?, chain(x, &self.double)?];
        let [one, seven, double] = branches;
        concatenated(&[one, seven, double, mean_branch(x, &self.pool)?])
    }
}

#[derive(Clone, Debug)]
pub(super) struct BlockD {
    three: [Layer; 2],
    seven: [Layer; 4],
}

impl BlockD {
    pub(super) fn new(scope: &Scope) -> Result<BlockD> {
        let unit = Unit(scope);
        Ok(BlockD {
            three: [unit.same("branch3x3_1", [768, 192], [1, 1])?, unit.half("branch3x3_2", [192, 320])?],
            seven: [
                unit.same("branch7x7x3_1", [768, 192], [1, 1])?,
                unit.same("branch7x7x3_2", [192, 192], [1, 7])?,
                unit.same("branch7x7x3_3", [192, 192], [7, 1])?,
                unit.half("branch7x7x3_4", [192, 192])?,
            ],
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let pooled = max_pool2d(x, 3, 2, 0, Rounding::Down)?;
        concatenated(&[chain(x, &self.three)?, chain(x, &self.seven)?, pooled])
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Pool {
    Mean,
    Maximum,
}

#[derive(Clone, Debug)]
pub(super) struct BlockE {
    one: Layer,
    three: Layer,
    /// 1×3 and 3×1 beside each other.
    three_split: [Layer; 2],
    double: [Layer; 2],
    double_split: [Layer; 2],
    pool: Layer,
    kind: Pool,
}

impl BlockE {
    pub(super) fn new(scope: &Scope, inputs: usize, kind: Pool) -> Result<BlockE> {
        let unit = Unit(scope);
        let split = |name: &str| -> Result<[Layer; 2]> {
            Ok([
                unit.same(&format!("{name}a"), [384, 384], [1, 3])?,
                unit.same(&format!("{name}b"), [384, 384], [3, 1])?,
            ])
        };
        Ok(BlockE {
            one: unit.same("branch1x1", [inputs, 320], [1, 1])?,
            three: unit.same("branch3x3_1", [inputs, 384], [1, 1])?,
            three_split: split("branch3x3_2")?,
            double: [
                unit.same("branch3x3dbl_1", [inputs, 448], [1, 1])?,
                unit.same("branch3x3dbl_2", [448, 384], [3, 3])?,
            ],
            double_split: split("branch3x3dbl_3")?,
            pool: unit.same("branch_pool", [inputs, 192], [1, 1])?,
            kind,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (three, double) = (self.three.forward(x)?, chain(x, &self.double)?);
        let [three_a, three_b] = &self.three_split;
        let [double_a, double_b] = &self.double_split;
        let pooled = match self.kind {
            Pool::Mean => mean_branch(x, &self.pool)?,
            Pool::Maximum => self.pool.forward(&max_pool2d(x, 3, 1, 1, Rounding::Down)?)?,
        };
        concatenated(&[
            self.one.forward(x)?,
            three_a.forward(&three)?,
            three_b.forward(&three)?,
            double_a.forward(&double)?,
            double_b.forward(&double)?,
            pooled,
        ])
    }
}
