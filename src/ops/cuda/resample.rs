//! Sums and maxima of windows, their adjoints, small filters, and shuffles between channels and space.

use candle_core::cuda::cudarc::driver::DeviceRepr;

use super::launch::{Arg, Grid, Module, OnGpu, Operand, count, kernel, launch, launch_with, numbers, output};

/// Windows on planes of `size` pixels, `[rows, columns]` of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    pub(crate) size: [usize; 2],
    pub(crate) counts: [usize; 2],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
}

/// What sums over windows are multiplied by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weight {
    Factor(f64),
    /// One over the pixels that the window covers.
    Inside,
}

/// Sums over windows: `[N, C, size]` → `[N, C, counts]`.
pub(crate) fn pool(windows: &Windows, weight: Weight, x: Operand) -> OnGpu<1> {
    summed("pool", windows, weight, x, [windows.size, windows.counts])
}

/// Adds each number to all pixels of its window: `[N, C, counts]` → `[N, C, size]`.
pub(crate) fn spread(windows: &Windows, weight: Weight, x: Operand) -> OnGpu<1> {
    summed("spread", windows, weight, x, [windows.counts, windows.size])
}

fn summed(name: &str, windows: &Windows, weight: Weight, x: Operand, [from, to]: [[usize; 2]; 2]) -> OnGpu<1> {
    let (inside, factor) = match weight {
        Weight::Factor(factor) => (0, factor),
        Weight::Inside => (1, 0.0),
    };
    let more = [Arg::Count(inside), Arg::Number(factor as f32)];
    run(name, windows, &more, &[(x, from)], to)
}

/// What lies where the largest number of each window of `x` lies: both `[N, C, size]` → `[N, C, counts]`.
pub(crate) fn max_pick(windows: &Windows, x: Operand, t: Operand) -> OnGpu<1> {
    run("max_pick", windows, &[], &[(x, windows.size), (t, windows.size)], windows.counts)
}

/// Adds each number of `t`, `[N, C, counts]`, to where the largest of its window of `x` lies: `[N, C, size]`.
pub(crate) fn max_put(windows: &Windows, x: Operand, t: Operand) -> OnGpu<1> {
    run("max_put", windows, &[], &[(x, windows.size), (t, windows.counts)], windows.size)
}

/// Launches a kernel for each pixel of planes of size `to`. The operands, of one type, have planes of these sizes and as
/// many images and channels.
fn run(name: &str, windows: &Windows, more: &[Arg], operands: &[(Operand, [usize; 2])], to: [usize; 2]) -> OnGpu<1> {
    let (storage, layout) = operands[0].0;
    let (n, c, _, _) = layout.shape().dims4()?;
    let float = numbers(name, operands[0].0)?.float;
    let mut addresses = Vec::new();
    for &(operand, [h, w]) in operands {
        let found = numbers(name, operand)?;
        if operand.1.dims() != [n, c, h, w] || found.float != float {
            candle_core::bail!(
                "{name}: found {:?} of {:?}, expected {:?} of {float:?}",
                operand.1.dims(),
                found.float,
                [n, c, h, w]
            );
        }
        addresses.push(Arg::from(found));
    }
    let len = n * c * to[0] * to[1];
    let (out, address) = output(&storage.device, float, len)?;
    let len = count(name, len)?;
    let Windows { size, counts, kernel: window, stride, padding } = *windows;
    let geometry = [size, counts, window, stride, padding].into_iter().flatten().map(|n| Arg::Count(n as u32));
    let args: Vec<Arg> = std::iter::once(Arg::Count(len))
        .chain(geometry)
        .chain(more.iter().copied())
        .chain(addresses)
        .chain([address.into()])
        .collect();
    launch(&storage.device, Module::Resample, &kernel(name, float, 1), Grid::over(len), &args)?;
    Ok([(out, (n, c, to[0], to[1]).into())])
}

/// How pixels and channels correspond.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shuffle {
    pub(crate) r: usize,
    /// Sub-pixels are the slow index of packed channels, else the fast one.
    pub(crate) dcr: bool,
    /// Channels to space, else back.
    pub(crate) to_space: bool,
}

/// `[N, C·r², H, W]` → `[N, C, r·H, r·W]`, or back.
pub(crate) fn shuffle(spec: Shuffle, x: Operand) -> OnGpu<1> {
    let (storage, layout) = x;
    let (n, c, h, w) = layout.shape().dims4()?;
    let r = spec.r;
    let (channels, packed, shape) = match spec.to_space {
        true => (c / (r * r), [h, w], (n, c / (r * r), h * r, w * r)),
        false => (c, [h / r, w / r], (n, c * r * r, h / r, w / r)),
    };
    let x = numbers("shuffle", x)?;
    let (out, address) = output(&storage.device, x.float, x.len)?;
    let len = count("shuffle", x.len)?;
    let numbers = [r, usize::from(spec.dcr), usize::from(spec.to_space), channels, packed[0], packed[1]];
    let args: Vec<Arg> = std::iter::once(Arg::Count(len))
        .chain(numbers.map(|n| Arg::Count(n as u32)))
        .chain([x.into(), address.into()])
        .collect();
    launch(&storage.device, Module::Resample, &kernel("shuffle", x.float, 1), Grid::over(len), &args)?;
    Ok([(out, shape.into())])
}

/// Taps of a filter along one axis at most, as in resample.cu.
const TAPS: usize = 16;

/// One direction of a filter: out[o] = Σᵢ in[i]·taps[o·down − i·up + offset].
#[derive(Clone, Debug)]
pub(crate) struct Axis<'a> {
    pub(crate) taps: &'a [f64],
    pub(crate) up: usize,
    pub(crate) down: usize,
    pub(crate) offset: isize,
    pub(crate) outputs: usize,
}

#[repr(C)]
struct FilterArgument {
    size: [u32; 2],
    out_size: [u32; 2],
    up: [u32; 2],
    down: [u32; 2],
    offset: [i32; 2],
    count: [u32; 2],
    taps: [[f32; TAPS]; 2],
}

// SAFETY: numbers of 32 bits in the order of the structure `Filter` of resample.cu.
unsafe impl DeviceRepr for FilterArgument {}

/// A separable filter with resampling, vertical axis first: `[N, C, H, W]` → `[N, C, H', W']`.
pub(crate) fn filter(axes: &[Axis; 2], x: Operand) -> OnGpu<1> {
    let (n, c, h, w) = x.1.shape().dims4()?;
    if let Some(axis) = axes.iter().find(|axis| axis.taps.len() > TAPS) {
        candle_core::bail!("upfirdn2d: found {} taps, expected at most {TAPS} on a GPU", axis.taps.len());
    }
    let from = numbers("filter", x)?;
    let out_size = axes.each_ref().map(|axis| axis.outputs);
    let (out, address) = output(&x.0.device, from.float, n * c * out_size[0] * out_size[1])?;
    let len = count("filter", n * c * out_size[0] * out_size[1])?;
    let mut taps = [[0.0; TAPS]; 2];
    for (taps, axis) in taps.iter_mut().zip(axes) {
        for (slot, tap) in taps.iter_mut().zip(axis.taps) {
            *slot = *tap as f32;
        }
    }
    let argument = FilterArgument {
        size: [h as u32, w as u32],
        out_size: out_size.map(|n| n as u32),
        up: axes.each_ref().map(|axis| axis.up as u32),
        down: axes.each_ref().map(|axis| axis.down as u32),
        offset: axes.each_ref().map(|axis| axis.offset as i32),
        count: axes.each_ref().map(|axis| axis.taps.len() as u32),
        taps,
    };
    let name = kernel("filter", from.float, 1);
    let places = [from.address, address];
    // SAFETY: the structure is laid out as in resample.cu, and the result has the size that it names.
    unsafe { launch_with(&x.0.device, (Module::Resample, &name), Grid::over(len), &[len], &argument, &places)? };
    Ok([(out, (n, c, out_size[0], out_size[1]).into())])
}
