//! Convolutions: cuDNN's where the crate is built with it, else kernels that follow the definition.

use candle_core::Result;
use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::driver::DeviceRepr;

use super::launch::{Grid, Module, Numbers, OnGpu, Operand, alike, count, kernel, launch_with, output, vector};
use super::norm::channel_add;

/// What is computed from what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// (x, w) → y.
    Forward,
    /// (gradient of y, w) → gradient of x.
    Data,
    /// (x, gradient of y) → gradient of w.
    Weight,
}

/// A convolution of x `[images, inputs, h, w]` with w `[outputs, inputs / groups, ky, kx]` to y
/// `[images, outputs, rows, columns]`, laid out as the structure of that name in conv.cu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub(crate) struct Geometry {
    pub(crate) images: u32,
    pub(crate) inputs: u32,
    pub(crate) size: [u32; 2],
    pub(crate) outputs: u32,
    pub(crate) out_size: [u32; 2],
    pub(crate) kernel: [u32; 2],
    pub(crate) groups: u32,
    pub(crate) stride: [u32; 2],
    pub(crate) padding: [u32; 2],
    pub(crate) dilation: [u32; 2],
}

// SAFETY: numbers of 32 bits in the order of the C structure, without padding.
unsafe impl DeviceRepr for Geometry {}

impl Geometry {
    pub(super) fn x(&self) -> [u32; 4] {
        [self.images, self.inputs, self.size[0], self.size[1]]
    }

    pub(super) fn w(&self) -> [u32; 4] {
        [self.outputs, self.inputs / self.groups, self.kernel[0], self.kernel[1]]
    }

    pub(super) fn y(&self) -> [u32; 4] {
        [self.images, self.outputs, self.out_size[0], self.out_size[1]]
    }

    /// Shapes of both operands and of the result.
    fn shapes(&self, role: Role) -> [[u32; 4]; 3] {
        let (x, w, y) = (self.x(), self.w(), self.y());
        match role {
            Role::Forward => [x, w, y],
            Role::Data => [y, w, x],
            Role::Weight => [x, y, w],
        }
    }
}

/// Runs a convolution; the bias `[channels of the result]` is added where given.
pub(crate) fn convolve(role: Role, geometry: &Geometry, [a, b]: [Operand; 2], bias: Option<Operand>) -> OnGpu<1> {
    let shapes = geometry.shapes(role).map(|shape| shape.map(|n| n as usize));
    for (operand, shape) in [(a, shapes[0]), (b, shapes[1])] {
        if operand.1.dims() != shape {
            candle_core::bail!("convolution: found shape {:?}, expected {shape:?}", operand.1.dims());
        }
    }
    let device = &a.0.device;
    let numbers_of = alike("convolution", [a, b])?;
    let (out, address) = output(device, numbers_of[0].float, shapes[2].iter().product())?;
    let result = Numbers { address, len: shapes[2].iter().product(), ..numbers_of[0] };
    run(device, role, geometry, numbers_of, result)?;
    if let Some(bias) = bias {
        let bias = vector("convolution: bias", bias)?;
        if bias.len != shapes[2][1] {
            candle_core::bail!("convolution: found a bias of {} numbers, expected {}", bias.len, shapes[2][1]);
        }
        channel_add(device, result, &shapes[2], bias)?;
    }
    Ok([(out, shapes[2].to_vec().into())])
}

fn run(device: &CudaDevice, role: Role, geometry: &Geometry, operands: [Numbers; 2], result: Numbers) -> Result<()> {
    // An empty batch has nothing to compute, and an empty kernel gradient is all there is.
    if result.len == 0 {
        return Ok(());
    }
    #[cfg(feature = "cudnn")]
    if !by_definition() {
        return super::cudnn::run(device, role, geometry, operands, result);
    }
    definition(device, role, geometry, operands, result)
}

/// For tests: the environment asks for kernels that follow the definition in place of cuDNN's.
#[cfg(feature = "cudnn")]
fn by_definition() -> bool {
    static ASKED: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var("TACHIE_CUDA_CONV").is_ok_and(|value| value == "definition"));
    *ASKED
}

fn definition(
    device: &CudaDevice,
    role: Role,
    geometry: &Geometry,
    [a, b]: [Numbers; 2],
    result: Numbers,
) -> Result<()> {
    let base = match role {
        Role::Forward => "conv_forward",
        Role::Data => "conv_data",
        Role::Weight => "conv_weight",
    };
    let n = count(base, result.len)?;
    let name = kernel(base, result.float, 1);
    let addresses = [a.address, b.address, result.address];
    // SAFETY: `convolve` has compared all shapes with the geometry, which is laid out as in conv.cu.
    unsafe { launch_with(device, (Module::Conv, &name), Grid::over(n), &[n], geometry, &addresses) }
}
