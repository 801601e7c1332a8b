//! Operations with one number per channel, and normalisation. Sums, and what is one number per channel or row, are f32
//! whatever the maps are stored as.

use std::sync::Arc;

use candle_core::cuda::CudaDevice;
use candle_core::cuda::cudarc::driver::CudaSlice;
use candle_core::{CudaStorage, Layout, Result, Shape};

use super::elementwise::planes;
use super::launch::{
    Arg, Float, Grid, Module, Numbers, OnGpu, Operand, THREADS, address, alike, count, kernel, launch, numbers, output,
    pack, scratch, vector,
};

/// Blocks that fill the largest GPUs a few times over.
const FULL: usize = 1024;

/// Groups of numbers that are summed: the planes of a channel in all images, or single planes.
struct Groups {
    groups: usize,
    /// Planes of a group.
    planes: usize,
    /// Planes from one to the next.
    step: usize,
    /// Packs of a plane.
    size: usize,
    channels: usize,
    wide: u32,
    /// Blocks that share a group.
    parts: u32,
}

impl Groups {
    fn new(what: &str, dims: &[usize], per_plane: bool, operands: &[Numbers]) -> Result<Groups> {
        let [channels, size] = planes(what, dims)?;
        let images = dims[0];
        let wide = pack(size, operands);
        let (groups, planes) = if per_plane { (images * channels, 1) } else { (channels, images) };
        count(what, dims.iter().product())?;
        let size = size / wide as usize;
        // A part keeps at least a few numbers for every thread.
        let most = (planes * size).div_ceil(4 * THREADS as usize).max(1);
        let parts = FULL.div_ceil(groups.max(1)).min(most) as u32;
        Ok(Groups { groups, planes, step: channels, size, channels, wide, parts })
    }

    fn grid(&self) -> Grid {
        Grid(self.groups as u32, self.parts)
    }

    /// What every kernel over groups takes first.
    fn shape(&self) -> [Arg; 3] {
        [self.planes as u32, self.step as u32, self.size as u32].map(Arg::from)
    }

    /// Numbers of a group.
    fn count(&self) -> usize {
        self.planes * self.size * self.wide as usize
    }

    /// Numbers of each part but the last ones, as `Walk` cuts them.
    fn part(&self) -> usize {
        (self.planes * self.size).div_ceil(self.parts as usize) * self.wide as usize
    }
}

/// y = x·a + b per channel, or x·a without b.
pub(crate) fn channel_affine(x: Operand, a: Operand, b: Option<Operand>) -> OnGpu<1> {
    affine(planes("channel_affine", x.1.dims())?, x, a, b)
}

/// The same for planes of `size` numbers, plane i of which belongs to channel i mod `channels`.
fn affine([channels, size]: [usize; 2], x: Operand, a: Operand, b: Option<Operand>) -> OnGpu<1> {
    let (storage, layout) = x;
    let (numbers, scale) = (numbers("channel_affine", x)?, vector("channel_affine", a)?);
    let shift = b.map(|b| vector("channel_affine", b)).transpose()?.map_or(0, |shift| shift.address);
    let (out, address) = output(&storage.device, numbers.float, numbers.len)?;
    let wide = pack(size, &[numbers]);
    let packs = count("channel_affine", numbers.len / wide as usize)?;
    let shape = [packs, (size as u32 / wide).max(1), channels as u32].map(Arg::from);
    let rest = [numbers.address, scale.address, shift, address].map(Arg::from);
    let name = kernel("channel_affine", numbers.float, wide);
    launch(&storage.device, Module::Norm, &name, Grid::over(packs), &[shape.as_slice(), &rest].concat())?;
    Ok([(out, layout.shape().clone())])
}

/// Adds b `[C]`, f32, to every plane of its channel of the `[N, C, ...]` numbers at `target`, in place.
pub(super) fn channel_add(device: &CudaDevice, target: Numbers, dims: &[usize], bias: Numbers) -> Result<()> {
    let [channels, size] = planes("channel_add", dims)?;
    let wide = pack(size, &[target]);
    let packs = count("channel_add", target.len / wide as usize)?;
    let shape = [packs, size as u32 / wide, channels as u32].map(Arg::from);
    let rest = [bias.address, target.address].map(Arg::from);
    let name = kernel("channel_add", target.float, wide);
    launch(device, Module::Norm, &name, Grid::over(packs), &[shape.as_slice(), &rest].concat())
}

/// Σ x per channel, or Σ x·y.
pub(crate) fn channel_dot(x: Operand, y: Option<Operand>) -> OnGpu<1> {
    let [channels, _] = planes("channel_dot", x.1.dims())?;
    dot(Sums { dims: x.1.dims(), per_plane: false, shared: false, factor: 1.0 }, x, y, channels.into())
}

/// Σ t·noise per channel with t `[N, C, ...]` and noise `[N, 1, ...]`.
pub(crate) fn noise_strength(t: Operand, noise: Operand) -> OnGpu<1> {
    let [channels, _] = planes("noise_strength", t.1.dims())?;
    let sums = Sums { dims: t.1.dims(), per_plane: false, shared: true, factor: 1.0 };
    dot(sums, t, Some(noise), channels.into())
}

/// `factor`·Σ x, or of x·y, over the dimensions from `dim` on.
pub(crate) fn row_sums(dim: usize, factor: f64, x: Operand, y: Option<Operand>) -> OnGpu<1> {
    let (kept, summed) = x.1.dims().split_at(dim);
    // Rows are planes of a single channel.
    let dims = [kept.iter().product(), 1, summed.iter().product()];
    dot(Sums { dims: &dims, per_plane: true, shared: false, factor }, x, y, kept.into())
}

/// Wv of a weight `[O, ...]` and v.
pub(crate) fn matrix_times_vector(weight: Operand, v: Operand) -> OnGpu<1> {
    let rows = weight.1.dims()[0];
    // A channel per row, of one image.
    let dims = [1, rows, v.1.shape().elem_count()];
    dot(Sums { dims: &dims, per_plane: false, shared: true, factor: 1.0 }, weight, Some(v), rows.into())
}

/// Which numbers are summed, and what they are multiplied by.
struct Sums<'a> {
    /// `[N, C, ...]`
    dims: &'a [usize],
    per_plane: bool,
    /// The second operand has one plane for all channels.
    shared: bool,
    factor: f64,
}

fn dot(sums: Sums, x: Operand, y: Option<Operand>, shape: Shape) -> OnGpu<1> {
    let device = &x.0.device;
    let [first, second] = alike("dot", [x, y.unwrap_or(x)])?;
    if first.len != second.len && !sums.shared {
        candle_core::bail!("dot: found {} numbers, expected {}", second.len, first.len);
    }
    let groups = Groups::new("dot", sums.dims, sums.per_plane, &[first, second])?;
    let (out, address_of_out) = output(device, Float::F32, groups.groups)?;
    let several = groups.parts > 1;
    let parts = several.then(|| scratch(device, groups.groups * groups.parts as usize)).transpose()?;
    let other = if y.is_some() { second.address } else { 0 };
    let how = [Arg::Count(u32::from(sums.shared)), Arg::Number(sums.factor as f32)];
    let rest = [first.address, other, parts.as_ref().map_or(0, address), address_of_out].map(Arg::from);
    let name = kernel("group_dot", first.float, groups.wide);
    if groups.groups > 0 {
        launch(device, Module::Norm, &name, groups.grid(), &[groups.shape().as_slice(), &how, &rest].concat())?;
    }
    if let Some(parts) = parts {
        add_parts(device, groups.groups, groups.parts, &parts, address_of_out)?;
    }
    Ok([(out, shape)])
}

/// x·a, a of the shape of the first dimensions of x.
pub(crate) fn scale_rows(x: Operand, a: Operand) -> OnGpu<1> {
    let (kept, rest) = x.1.dims().split_at(a.1.dims().len());
    let [rows, size]: [usize; 2] = [kept.iter().product(), rest.iter().product()];
    affine([rows, size], x, a, None)
}

/// x·r at every pixel, or r·(t − x̂·mean(x̂·t)) where t is given.
pub(crate) fn pixel_norm(epsilon: f64, x: Operand, t: Option<Operand>) -> OnGpu<1> {
    let [channels, size] = planes("pixel_norm", x.1.dims())?;
    let [from, along] = alike("pixel_norm", [x, t.unwrap_or(x)])?;
    let (out, address) = output(&x.0.device, from.float, from.len)?;
    count("pixel_norm", from.len)?;
    let pixels = (x.1.dims()[0] * size) as u32;
    let sizes = [pixels, (size as u32).max(1), channels as u32].map(Arg::Count);
    let tangent = if t.is_some() { along.address } else { 0 };
    let places = [Arg::Number(epsilon as f32), from.into(), tangent.into(), address.into()];
    let name = kernel("pixel_norm", from.float, 1);
    launch(&x.0.device, Module::Norm, &name, Grid::over(pixels), &[&sizes[..], &places].concat())?;
    Ok([(out, x.1.shape().clone())])
}

/// x `[N, C, H, W]` and the deviation of its group as one more channel; `pictures` of a group.
pub(crate) fn minibatch_deviation(pictures: usize, epsilon: f64, x: Operand) -> OnGpu<1> {
    let (n, channels, h, w) = x.1.shape().dims4()?;
    let device = &x.0.device;
    let [size, plane, groups] = [channels * h * w, h * w, n / pictures];
    let from = numbers("minibatch_deviation", x)?;
    let parts = FULL.div_ceil(groups).min(size.div_ceil(4 * THREADS as usize)).max(1);
    let of_parts = scratch(device, groups * parts)?;
    let sizes = [size, pictures].map(|n| Arg::Count(n as u32));
    let args = [&sizes[..], &[Arg::Number(epsilon as f32), from.into(), address(&of_parts).into()]].concat();
    let name = kernel("minibatch_statistic", from.float, 1);
    launch(device, Module::Norm, &name, Grid(groups as u32, parts as u32), &args)?;
    let statistic = scratch(device, groups)?;
    add_parts(device, groups, parts as u32, &of_parts, address(&statistic))?;
    let len = n * (size + plane);
    let (out, address_of_out) = output(device, from.float, len)?;
    let sizes = [count("minibatch_deviation", len)?, size as u32, plane as u32, groups as u32].map(Arg::Count);
    let places = [from.address, address(&statistic), address_of_out].map(Arg::from);
    let name = kernel("minibatch_append", from.float, 1);
    launch(device, Module::Norm, &name, Grid::over(len as u32), &[&sizes[..], &places].concat())?;
    Ok([(out, (n, channels + 1, h, w).into())])
}

/// (x, t) → the gradient of x of [`minibatch_deviation`].
pub(crate) fn minibatch_gradient(pictures: usize, epsilon: f64, x: Operand, t: Operand) -> OnGpu<1> {
    let (n, channels, h, w) = x.1.shape().dims4()?;
    let device = &x.0.device;
    let [size, plane, groups] = [channels * h * w, h * w, n / pictures].map(|n| n as u32);
    let [from, upstream] = alike("minibatch_gradient", [x, t])?;
    let factor = scratch(device, groups as usize)?;
    let sizes = [size, plane, pictures as u32].map(Arg::Count);
    let places = [upstream.address, address(&factor)].map(Arg::from);
    let name = kernel("minibatch_factor", from.float, 1);
    launch(device, Module::Norm, &name, Grid(groups, 1), &[&sizes[..], &places].concat())?;
    let (out, address_of_out) = output(device, from.float, from.len)?;
    let len = count("minibatch_gradient", from.len)?;
    let sizes = [len, size, plane, groups, pictures as u32].map(Arg::Count);
    let places = [from.address, upstream.address, address(&factor), address_of_out].map(Arg::from);
    let args = [&sizes[..], &[Arg::Number(epsilon as f32)], &places].concat();
    launch(device, Module::Norm, &kernel("minibatch_gradient", from.float, 1), Grid::over(len), &args)?;
    Ok([(out, x.1.shape().clone())])
}

/// Totals of `groups` sums that were left in several parts each.
fn add_parts(device: &CudaDevice, groups: usize, parts: u32, from: &CudaSlice<f32>, to: u64) -> Result<()> {
    let args = [Arg::Count(groups as u32), Arg::Count(parts), address(from).into(), to.into()];
    launch(device, Module::Norm, "add_parts", Grid::over(groups as u32), &args)
}

/// Means and biased variances of groups, on the GPU: all means, then all variances.
#[derive(Clone, Debug)]
pub(crate) struct Statistics(Arc<CudaSlice<f32>>);

/// What a normalisation divides by and takes its statistics over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Over {
    /// Every plane by itself, else every channel over the batch.
    pub(crate) per_plane: bool,
    /// γ and β are one per sample and channel, not one per channel.
    pub(crate) per_sample: bool,
    pub(crate) epsilon: f64,
}

impl Over {
    /// How many γ there are: plane i takes number i modulo this.
    fn weights(self, groups: &Groups) -> usize {
        if self.per_sample { groups.groups } else { groups.channels }
    }

    /// Their shape for an x of these dimensions.
    fn weight_shape(self, dims: &[usize]) -> Shape {
        if self.per_sample { dims[..2].into() } else { dims[1].into() }
    }
}

/// The statistics of `x` `[N, C, ...]`.
pub(crate) fn statistics(over: Over, x: Operand) -> Result<Statistics> {
    let (storage, layout) = x;
    let device = &storage.device;
    let all = numbers("moments", x)?;
    let groups = Groups::new("moments", layout.dims(), over.per_plane, &[all])?;
    let moments = scratch(device, 2 * groups.groups * groups.parts as usize)?;
    let rest = [all.address, address(&moments)].map(Arg::from);
    let name = kernel("moments", all.float, groups.wide);
    launch(device, Module::Norm, &name, groups.grid(), &[groups.shape().as_slice(), &rest].concat())?;
    if groups.parts == 1 {
        return Ok(Statistics(Arc::new(moments)));
    }
    let merged = scratch(device, 2 * groups.groups)?;
    let counts = [groups.groups, groups.parts as usize, groups.count(), groups.part()].map(|n| Arg::Count(n as u32));
    let rest = [address(&moments), address(&merged)].map(Arg::from);
    let args = [counts.as_slice(), &rest].concat();
    launch(device, Module::Norm, "merge_moments", Grid::over(groups.groups as u32), &args)?;
    Ok(Statistics(Arc::new(merged)))
}

/// Means `[C]`, and variances `[C]` times `bessel`, of a batch norm's statistics, f32.
pub(crate) fn batch_statistics(statistics: &Statistics, bessel: f64, x: Operand) -> OnGpu<2> {
    let (storage, layout) = x;
    let [channels, _] = planes("batch_statistics", layout.dims())?;
    let (mean, mean_at) = output(&storage.device, Float::F32, channels)?;
    let (variance, variance_at) = output(&storage.device, Float::F32, channels)?;
    let args = [
        Arg::Count(channels as u32),
        Arg::Number(bessel as f32),
        address(&statistics.0).into(),
        mean_at.into(),
        variance_at.into(),
    ];
    launch(&storage.device, Module::Norm, "batch_statistics", Grid::over(channels as u32), &args)?;
    Ok([(mean, channels.into()), (variance, channels.into())])
}

/// The `Groups` structure of norm.cu, field by field.
fn described(over: Over, groups: &Groups, statistics: &Statistics) -> [Arg; 6] {
    [
        Arg::Count(groups.size as u32),
        Arg::Count(over.weights(groups) as u32),
        Arg::Count(u32::from(over.per_plane)),
        Arg::Count(groups.groups as u32),
        Arg::Number(over.epsilon as f32),
        address(&statistics.0).into(),
    ]
}

/// γ·x̂ + β.
pub(crate) fn normalize(over: Over, statistics: &Statistics, [x, weight, bias]: [Operand; 3]) -> OnGpu<1> {
    let (storage, layout) = x;
    let numbers = numbers("normalize", x)?;
    let (weight, bias) = (vector("normalize", weight)?, vector("normalize", bias)?);
    let groups = Groups::new("normalize", layout.dims(), over.per_plane, &[numbers])?;
    let (out, address) = output(&storage.device, numbers.float, numbers.len)?;
    let packs = numbers.len as u32 / groups.wide;
    let rest = [numbers.address, weight.address, bias.address, address].map(Arg::from);
    let args = [&[Arg::Count(packs)], described(over, &groups, statistics).as_slice(), &rest].concat();
    let name = kernel("normalize", numbers.float, groups.wide);
    launch(&storage.device, Module::Norm, &name, Grid::over(packs), &args)?;
    Ok([(out, layout.shape().clone())])
}

/// Σ t of all groups, then Σ (x − μ)·t of all.
fn centred_dot(
    statistics: &Statistics,
    groups: &Groups,
    device: &CudaDevice,
    [x, t]: [Numbers; 2],
) -> Result<CudaSlice<f32>> {
    let parts = scratch(device, 2 * groups.groups * groups.parts as usize)?;
    let rest = [address(&statistics.0), x.address, t.address, address(&parts)].map(Arg::from);
    let name = kernel("centred_dot", x.float, groups.wide);
    launch(device, Module::Norm, &name, groups.grid(), &[groups.shape().as_slice(), &rest].concat())?;
    if groups.parts == 1 {
        return Ok(parts);
    }
    let totals = scratch(device, 2 * groups.groups)?;
    add_parts(device, 2 * groups.groups, groups.parts, &parts, address(&totals))?;
    Ok(totals)
}

/// γ·r·(t − mean t − x̂·mean(x̂·t)).
pub(crate) fn derivative(over: Over, statistics: &Statistics, [x, t, weight]: [Operand; 3]) -> OnGpu<1> {
    let (device, layout) = (&x.0.device, x.1);
    let ([x, t], weight) = (alike("normalize_derivative", [x, t])?, vector("normalize_derivative", weight)?);
    let groups = Groups::new("normalize_derivative", layout.dims(), over.per_plane, &[x, t])?;
    let sums = centred_dot(statistics, &groups, device, [x, t])?;
    Ok([mapped(over, statistics, &groups, &sums, [x, t, weight], (device, layout))?])
}

/// [`derivative`] from its sums.
fn mapped(
    over: Over,
    statistics: &Statistics,
    groups: &Groups,
    sums: &CudaSlice<f32>,
    [x, t, weight]: [Numbers; 3],
    (device, layout): (&CudaDevice, &Layout),
) -> Result<(CudaStorage, Shape)> {
    let (out, address_of_out) = output(device, x.float, x.len)?;
    let packs = x.len as u32 / groups.wide;
    let before = [Arg::Number(groups.count() as f32), address(sums).into()];
    let rest = [x.address, t.address, weight.address, address_of_out].map(Arg::from);
    let args = [&[Arg::Count(packs)], described(over, groups, statistics).as_slice(), &before, &rest].concat();
    let name = kernel("normalize_derivative", x.float, groups.wide);
    launch(device, Module::Norm, &name, Grid::over(packs), &args)?;
    Ok((out, layout.shape().clone()))
}

/// Σ x̂·t per channel.
pub(crate) fn correlation(over: Over, statistics: &Statistics, [x, t]: [Operand; 2]) -> OnGpu<1> {
    let (device, layout) = (&x.0.device, x.1);
    let [x, t] = alike("channel_gradients", [x, t])?;
    let groups = Groups::new("channel_gradients", layout.dims(), over.per_plane, &[x, t])?;
    let sums = centred_dot(statistics, &groups, device, [x, t])?;
    let (along, along_at) = output(device, Float::F32, over.weights(&groups))?;
    channel_gradients(over, statistics, &groups, &sums, device, [along_at, 0])?;
    Ok([(along, over.weight_shape(layout.dims()))])
}

/// (x, t, γ) → the gradients of x, γ and β from one pass of sums.
pub(crate) fn gradients(over: Over, statistics: &Statistics, [x, t, weight]: [Operand; 3]) -> OnGpu<3> {
    let (device, layout) = (&x.0.device, x.1);
    let ([x, t], weight) = (alike("normalize_gradients", [x, t])?, vector("normalize_gradients", weight)?);
    let groups = Groups::new("normalize_gradients", layout.dims(), over.per_plane, &[x, t])?;
    let sums = centred_dot(statistics, &groups, device, [x, t])?;
    let for_x = mapped(over, statistics, &groups, &sums, [x, t, weight], (device, layout))?;
    let (along, along_at) = output(device, Float::F32, over.weights(&groups))?;
    let (total, total_at) = output(device, Float::F32, over.weights(&groups))?;
    channel_gradients(over, statistics, &groups, &sums, device, [along_at, total_at])?;
    let weights = over.weight_shape(layout.dims());
    Ok([for_x, (along, weights.clone()), (total, weights)])
}

/// Σ x̂·t and, where its address is not 0, Σ t per channel.
fn channel_gradients(
    over: Over,
    statistics: &Statistics,
    groups: &Groups,
    sums: &CudaSlice<f32>,
    device: &CudaDevice,
    outputs: [u64; 2],
) -> Result<()> {
    let rest = [address(sums), outputs[0], outputs[1]].map(Arg::from);
    let args = [described(over, groups, statistics).as_slice(), &rest].concat();
    launch(device, Module::Norm, "channel_gradients", Grid::over(over.weights(groups) as u32), &args)
}
