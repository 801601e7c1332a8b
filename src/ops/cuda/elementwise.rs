//! Functions that act on every number by itself.

use candle_core::cuda::CudaDevice;
use candle_core::{CudaStorage, DType, Result, Shape};

use super::launch::{
    Arg, Float, Grid, Module, Numbers, OnGpu, Operand, alike, count, kernel, launch, numbers, output, pack, vector,
};
use crate::ops::activation::Activation;

/// Function and slope as `elementwise.cu` numbers them.
fn code(activation: Activation) -> [Arg; 2] {
    let (code, slope) = match activation {
        Activation::Identity => (0, 0.0),
        Activation::LeakyRelu(slope) => (1, slope),
        Activation::Tanh => (2, 0.0),
        Activation::Sigmoid => (3, 0.0),
        Activation::Softplus => (4, 0.0),
    };
    [Arg::Count(code), Arg::Number(slope as f32)]
}

/// Runs a kernel over operands of one shape: (packs, parameters, operands, output).
fn over<const N: usize>(base: &str, operands: [Operand; N], parameters: &[Arg]) -> OnGpu<1> {
    let (storage, layout) = operands[0];
    let numbers = alike(base, operands)?;
    let len = numbers[0].len;
    if let Some(other) = numbers.iter().position(|numbers| numbers.len != len) {
        candle_core::bail!("{base}: found shape {:?}, expected {:?}", operands[other].1.dims(), layout.dims());
    }
    let (out, address) = output(&storage.device, numbers[0].float, len)?;
    let wide = pack(len, &numbers);
    let packs = count(base, len / wide as usize)?;
    let mut args = vec![Arg::Count(packs)];
    args.extend_from_slice(parameters);
    args.extend(numbers.map(Arg::from));
    args.push(address.into());
    launch(&storage.device, Module::Elementwise, &kernel(base, numbers[0].float, wide), Grid::over(packs), &args)?;
    Ok([(out, layout.shape().clone())])
}

/// φ(x).
pub(crate) fn activate(activation: Activation, x: Operand) -> OnGpu<1> {
    over("activate", [x], &code(activation))
}

/// φ'·t, the derivative taken at `at` as `Activation::slope_at` says.
pub(crate) fn slope_times(activation: Activation, at: Operand, t: Operand) -> OnGpu<1> {
    over("slope_times", [at, t], &code(activation))
}

/// Leaky ReLU of a + b.
pub(crate) fn add_leaky_relu(slope: f64, a: Operand, b: Operand) -> OnGpu<1> {
    over("add_leaky_relu", [a, b], &[Arg::Number(slope as f32)])
}

/// a + b.
pub(crate) fn add(a: Operand, b: Operand) -> OnGpu<1> {
    add_leaky_relu(1.0, a, b)
}

/// a·b.
pub(crate) fn multiply(a: Operand, b: Operand) -> OnGpu<1> {
    over("multiply", [a, b], &[])
}

/// `scale`·x + `offset`.
pub(crate) fn scale_offset(scale: f64, offset: f64, x: Operand) -> OnGpu<1> {
    over("scale_offset", [x], &[Arg::Number(scale as f32), Arg::Number(offset as f32)])
}

/// φ(f)·σ(g), f and g of one shape.
pub(crate) fn gated(activation: Activation, f: Operand, g: Operand) -> OnGpu<1> {
    let [from_f, from_g] = alike("gated", [f, g])?;
    gate(activation, Halves::Apart, (f.0, f.1.shape()), [from_f, from_g])
}

/// [`gated`] of the two halves of the channels of x `[N, 2·C, ...]`.
pub(crate) fn gated_halves(activation: Activation, x: Operand) -> OnGpu<1> {
    let [all] = alike("gated", [x])?;
    let (half, shape) = halved(x.1.dims());
    let gates = Numbers { address: all.address + half as u64 * all.float.bytes(), ..all };
    gate(activation, Halves::Together { half }, (x.0, &shape), [all, gates])
}

/// How features and gates lie.
#[derive(Clone, Copy)]
enum Halves {
    /// In tensors of their own.
    Apart,
    /// Behind each other in every image, so many numbers each.
    Together { half: usize },
}

impl Halves {
    /// `half` and `skip` of the kernels, in packs.
    fn packs(self, len: usize, wide: u32) -> [Arg; 2] {
        let [half, skip] = match self {
            Halves::Apart => [len.max(1), 0],
            Halves::Together { half } => [half, half],
        };
        [half, skip].map(|numbers| Arg::Count((numbers / wide as usize) as u32))
    }

    /// What has to be a multiple of a pack.
    fn piece(self, len: usize) -> usize {
        match self {
            Halves::Apart => len,
            Halves::Together { half } => half,
        }
    }
}

/// Numbers of one image's features, and the shape of all, of `[N, 2·C, ...]`.
fn halved(dims: &[usize]) -> (usize, Shape) {
    let mut features = dims.to_vec();
    features[1] /= 2;
    (features[1..].iter().product(), features.into())
}

fn gate(
    activation: Activation,
    halves: Halves,
    (storage, shape): (&CudaStorage, &Shape),
    [f, g]: [Numbers; 2],
) -> OnGpu<1> {
    let len = shape.elem_count();
    let (out, address) = output(&storage.device, f.float, len)?;
    let wide = pack(halves.piece(len), &[f, g]);
    let packs = count("gated", len / wide as usize)?;
    let args =
        [&[Arg::Count(packs)][..], &halves.packs(len, wide), &code(activation), &[f.into(), g.into(), address.into()]];
    launch(&storage.device, Module::Elementwise, &kernel("gated", f.float, wide), Grid::over(packs), &args.concat())?;
    Ok([(out, shape.clone())])
}

/// (f, g, t) → the gradients of f and g.
pub(crate) fn gated_gradients(activation: Activation, [f, g, t]: [Operand; 3]) -> OnGpu<2> {
    let (device, shape) = (&f.0.device, f.1.shape().clone());
    let [from_f, from_g, from_t] = alike("gated_gradients", [f, g, t])?;
    let (for_f, f_at) = output(device, from_f.float, from_f.len)?;
    let (for_g, g_at) = output(device, from_f.float, from_f.len)?;
    let numbers = [from_f, from_g, from_t];
    gate_gradients(activation, Halves::Apart, (device, from_t.len), numbers, [f_at, g_at])?;
    Ok([(for_f, shape.clone()), (for_g, shape)])
}

/// (x, t) → the gradient of both halves of x.
pub(crate) fn gated_halves_gradient(activation: Activation, x: Operand, t: Operand) -> OnGpu<1> {
    let (device, (half, _)) = (&x.0.device, halved(x.1.dims()));
    let [all, from_t] = alike("gated_gradients", [x, t])?;
    let (out, address) = output(device, all.float, all.len)?;
    let behind = half as u64 * all.float.bytes();
    let gates = Numbers { address: all.address + behind, ..all };
    let halves = Halves::Together { half };
    gate_gradients(activation, halves, (device, from_t.len), [all, gates, from_t], [address, address + behind])?;
    Ok([(out, x.1.shape().clone())])
}

fn gate_gradients(
    activation: Activation,
    halves: Halves,
    (device, len): (&CudaDevice, usize),
    numbers: [Numbers; 3],
    outputs: [u64; 2],
) -> Result<()> {
    let wide = pack(halves.piece(len), &numbers);
    let packs = count("gated_gradients", len / wide as usize)?;
    let places = [numbers.map(Arg::from).as_slice(), &outputs.map(Arg::from)].concat();
    let args = [&[Arg::Count(packs)][..], &halves.packs(len, wide), &code(activation), &places].concat();
    launch(device, Module::Elementwise, &kernel("gated_gradients", numbers[0].float, wide), Grid::over(packs), &args)
}

/// `factor` times the number of each row of a tensor of this shape and type, all over the row; a, f32, has the shape of
/// its first dimensions.
pub(crate) fn fill_rows(shape: &Shape, dtype: DType, factor: f64, a: Operand) -> OnGpu<1> {
    fill((shape, dtype), shape.dims()[a.1.dims().len()..].iter().product(), factor, a)
}

/// a `[C]`, f32 → every channel's number all over its planes of this shape `[N, C, ...]` and type.
pub(crate) fn fill_channels(shape: &Shape, dtype: DType, a: Operand) -> OnGpu<1> {
    let [_, size] = planes("fill", shape.dims())?;
    fill((shape, dtype), size, 1.0, a)
}

/// `factor` times the numbers of a, one after the other and from the first again, all over rows of `size` numbers.
fn fill((shape, dtype): (&Shape, DType), size: usize, factor: f64, a: Operand) -> OnGpu<1> {
    let (from, float) = (vector("fill", a)?, Float::of(dtype)?);
    let (out, address) = output(&a.0.device, float, shape.elem_count())?;
    let wide = pack(size, &[]);
    let packs = count("fill", shape.elem_count() / wide as usize)?;
    let sizes = [packs, (size as u32 / wide).max(1), (from.len as u32).max(1)].map(Arg::Count);
    let args = [&sizes[..], &[Arg::Number(factor as f32), from.into(), address.into()]].concat();
    launch(&a.0.device, Module::Elementwise, &kernel("fill_rows", float, wide), Grid::over(packs), &args)?;
    Ok([(out, shape.clone())])
}

/// [channels, numbers per plane] of `[N, C, ...]`.
pub(super) fn planes(what: &str, dims: &[usize]) -> Result<[usize; 2]> {
    match dims {
        [_, channels, rest @ ..] => Ok([*channels, rest.iter().product()]),
        _ => candle_core::bail!("{what}: found shape {dims:?}, expected [N, C, ...]"),
    }
}

/// φ(x + b) with x `[N, C, ...]` and b `[C]`, f32.
pub(crate) fn bias_activation(activation: Activation, x: Operand, bias: Operand) -> OnGpu<1> {
    let layout = x.1;
    let [channels, size] = planes("bias_activation", layout.dims())?;
    let (from, bias) = (numbers("bias_activation", x)?, vector("bias_activation", bias)?);
    let (out, address) = output(&x.0.device, from.float, from.len)?;
    let wide = pack(size, &[from]);
    let packs = count("bias_activation", from.len / wide as usize)?;
    let shape = [packs, size as u32 / wide, channels as u32].map(Arg::Count);
    let args = [&shape[..], &code(activation), &[from.into(), bias.into(), address.into()]].concat();
    let name = kernel("bias_activation", from.float, wide);
    launch(&x.0.device, Module::Elementwise, &name, Grid::over(packs), &args)?;
    Ok([(out, layout.shape().clone())])
}

/// `gain` times the leaky ReLU of x + s·noise + b with x `[N, C, H, W]`, noise `[N, 1, H, W]`, strengths s and b `[C]`,
/// f32.
pub(crate) fn layer_epilogue([slope, gain]: [f64; 2], [x, noise, strength, bias]: [Operand; 4]) -> OnGpu<1> {
    let layout = x.1;
    let [channels, size] = planes("layer_epilogue", layout.dims())?;
    let [from, noise] = alike("layer_epilogue", [x, noise])?;
    let (strength, bias) = (vector("layer_epilogue", strength)?, vector("layer_epilogue", bias)?);
    let (out, address) = output(&x.0.device, from.float, from.len)?;
    let wide = pack(size, &[from, noise]);
    let packs = count("layer_epilogue", from.len / wide as usize)?;
    let shape = [packs, size as u32 / wide, channels as u32].map(Arg::Count);
    let factors = [slope, gain].map(|factor| Arg::Number(factor as f32));
    let places = [from.into(), noise.into(), strength.into(), bias.into(), address.into()];
    let name = kernel("layer_epilogue", from.float, wide);
    launch(&x.0.device, Module::Elementwise, &name, Grid::over(packs), &[&shape[..], &factors, &places].concat())?;
    Ok([(out, layout.shape().clone())])
}

/// (noise `[N, 1, ...]`, s `[C]`, f32) → noise·s in `shape`, `[N, C, ...]`.
pub(crate) fn noise_scaled(shape: Shape, noise: Operand, strength: Operand) -> OnGpu<1> {
    let [channels, size] = planes("noise_scaled", shape.dims())?;
    spread("noise_scaled", shape, [channels, size], noise, strength)
}

/// (t `[N, C, ...]`, s `[C]`, f32) → Σ t·s over the channels in `shape`, `[N, 1, ...]`.
pub(crate) fn noise_plane(shape: Shape, t: Operand, strength: Operand) -> OnGpu<1> {
    let [channels, size] = [strength.1.shape().elem_count(), shape.elem_count() / shape.dims()[0].max(1)];
    spread("noise_plane", shape, [channels, size], t, strength)
}

fn spread(base: &str, shape: Shape, [channels, size]: [usize; 2], a: Operand, strength: Operand) -> OnGpu<1> {
    let (from, strength) = (numbers(base, a)?, vector(base, strength)?);
    let (out, address) = output(&a.0.device, from.float, shape.elem_count())?;
    let wide = pack(size, &[from]);
    let packs = count(base, shape.elem_count() / wide as usize)?;
    let sizes = [packs, (size as u32 / wide).max(1), channels as u32].map(Arg::Count);
    let args = [&sizes[..], &[from.into(), strength.into(), address.into()]].concat();
    launch(&a.0.device, Module::Elementwise, &kernel(base, from.float, wide), Grid::over(packs), &args)?;
    Ok([(out, shape)])
}
