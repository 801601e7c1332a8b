//! Convolutions on a GPU: the same roles in the words of `ops::cuda::conv`.

use candle_core::Shape;

use super::op::{Conv, Role};
use crate::ops::cuda::conv::{Geometry, Role as GpuRole, convolve};
use crate::ops::cuda::{OnGpu, Operand};

impl Conv {
    pub(super) fn on_gpu(&self, a: Operand, b: Operand, bias: Option<Operand>) -> OnGpu<1> {
        let role = match self.role {
            Role::Forward => GpuRole::Forward,
            Role::DataGradient { .. } => GpuRole::Data,
            Role::WeightGradient { .. } => GpuRole::Weight,
        };
        convolve(role, &self.geometry(a.1.shape(), b.1.shape())?, [a, b], bias)
    }

    /// The forward convolution that this is, or is a gradient of.
    fn geometry(&self, a: &Shape, b: &Shape) -> candle_core::Result<Geometry> {
        let (a, b) = (a.dims4()?, b.dims4()?);
        let groups = self.spec.groups;
        let (images, inputs, size, outputs, out_size, kernel) = match self.role {
            Role::Forward => {
                let sizes = [0, 1].map(|axis| self.spec.output(axis, [a.2, a.3][axis], [b.2, b.3][axis]));
                let [Some(rows), Some(columns)] = sizes else {
                    candle_core::bail!("convolution: no window of {}×{} fits into {}×{}", b.2, b.3, a.2, a.3);
                };
                (a.0, a.1, [a.2, a.3], b.0, [rows, columns], [b.2, b.3])
            }
            Role::DataGradient { size } => (a.0, b.1 * groups, size, a.1, [a.2, a.3], [b.2, b.3]),
            Role::WeightGradient { kernel } => (a.0, a.1, [a.2, a.3], b.1, [b.2, b.3], kernel),
        };
        let number = |n: usize| n as u32;
        Ok(Geometry {
            images: number(images),
            inputs: number(inputs),
            size: size.map(number),
            outputs: number(outputs),
            out_size: out_size.map(number),
            kernel: kernel.map(number),
            groups: number(groups),
            stride: self.spec.stride.map(number),
            padding: self.spec.padding.map(number),
            dilation: self.spec.dilation.map(number),
        })
    }
}
