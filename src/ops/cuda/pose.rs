//! What convolutions answer to pose maps, and the gradients of their kernels.

use candle_core::Tensor;

use super::launch::{
    Arg, Float, Grid, Module, OnGpu, Operand, address, alike, count, kernel, launch, numbers, numbers_of, output,
    scratch,
};

/// Maps of `size` (height, width) with points `[N, M, 3]` of f32, in pixels of maps 2^`halvings` times as large.
pub(crate) struct Maps<'a> {
    pub(crate) points: &'a Tensor,
    pub(crate) halvings: u32,
    pub(crate) size: [usize; 2],
    pub(crate) keypoints: usize,
    pub(crate) ground: f64,
    pub(crate) contrast: f64,
}

impl Maps<'_> {
    /// The maps as kernels take them, for kernels of side `k`, and where the points are.
    fn arguments(&self, k: usize) -> candle_core::Result<Vec<Arg>> {
        let points = numbers_of("pose maps", self.points)?;
        if points.float != Float::F32 {
            candle_core::bail!("pose maps: found {:?} points, expected F32", points.float);
        }
        let counts = [self.size[0], self.size[1], self.keypoints, k].map(|n| Arg::Count(n as u32));
        let levels = [self.ground, self.contrast].map(|level| Arg::Number(level as f32));
        Ok([&counts[..], &[Arg::Count(self.halvings)], &levels, &[points.into()]].concat())
    }
}

/// x `[N, C, H, W]` plus the answer of the kernels `weight` `[C, M, k, k]`.
pub(crate) fn response(maps: &Maps, x: Operand, weight: Operand) -> OnGpu<1> {
    let device = &x.0.device;
    let (_, channels, _, _) = x.1.shape().dims4()?;
    let (_, _, k, _) = weight.1.shape().dims4()?;
    let [from, kernels] = alike("pose_response", [x, weight])?;
    let (len, tap_count) = (count("pose_response", from.len)?, count("pose_response", channels * k * k)?);
    let sums = scratch(device, channels * k * k)?;
    let args = [
        Arg::Count(tap_count),
        Arg::Count(maps.keypoints as u32),
        Arg::Count((k * k) as u32),
        kernels.into(),
        address(&sums).into(),
    ];
    launch(device, Module::Pose, &kernel("pose_sums", from.float, 1), Grid::over(tap_count), &args)?;
    let (out, to) = output(device, from.float, from.len)?;
    let places = [from.into(), kernels.into(), address(&sums).into(), to.into()];
    let args = [&[Arg::Count(len), Arg::Count(channels as u32)], &maps.arguments(k)?[..], &places].concat();
    launch(device, Module::Pose, &kernel("pose_response", from.float, 1), Grid::over(len), &args)?;
    Ok([(out, x.1.shape().clone())])
}

/// u `[N, C, H, W]` → Σ u · ∂(answer)/∂w, `[C, M, k, k]`.
pub(crate) fn gradient(maps: &Maps, k: usize, u: Operand) -> OnGpu<1> {
    let device = &u.0.device;
    let (images, channels, h, w) = u.1.shape().dims4()?;
    let from = numbers("pose_response_gradient", u)?;
    count("pose_response_gradient", from.len)?;
    let (taps, all) = (channels * k * k, channels * maps.keypoints * k * k);
    let len = count("pose_response_gradient", all)?;
    let sums = scratch(device, taps)?;
    let sizes = [images, channels].map(|n| Arg::Count(n as u32));
    let plane = [h, w, k].map(|n| Arg::Count(n as u32));
    if taps > 0 {
        let args = [&sizes[..], &plane, &[from.into(), address(&sums).into()]].concat();
        launch(device, Module::Pose, &kernel("pose_ground", from.float, 1), Grid(taps as u32, 1), &args)?;
    }
    let (out, to) = output(device, from.float, all)?;
    let places = [from.into(), address(&sums).into(), to.into()];
    let args = [&[Arg::Count(len)], &sizes[..], &maps.arguments(k)?[..], &places].concat();
    launch(device, Module::Pose, &kernel("pose_gradient", from.float, 1), Grid::over(len), &args)?;
    Ok([(out, (channels, maps.keypoints, k, k).into())])
}
