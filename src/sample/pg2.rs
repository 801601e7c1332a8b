//! Drawing with PG2: somebody in another pose.

use candle_core::Tensor;

use super::{in_chunks, rows};
use crate::data::batch::Images;
use crate::models::baselines::pg2::Pg2;
use crate::{Error, Result};

impl Pg2 {
    /// The people of these pictures in other poses: key points `[N, M, 3]` as
    /// [`Dataset::poses`](crate::data::dataset::Dataset::poses) gives them, x and y as shares of the picture's side.
    ///
    /// # Errors
    /// When there are not as many poses as pictures, or the sizes are not the network's.
    pub fn repose(&self, sources: &Images, poses: &Tensor) -> Result<Images> {
        let side = self.config().size();
        if poses.dims() != [sources.len(), self.config().keypoints, 3] || sources.size() != (side, side) {
            let found = format!("{} pictures of {:?} pixels, poses {:?}", sources.len(), sources.size(), poses.dims());
            let expected = format!("pictures of {side} px and poses [N, {}, 3] for them", self.config().keypoints);
            return Err(Error::invalid("pictures to draw in other poses", found, expected, ""));
        }
        let networks = self.networks()?;
        let (pictures, poses) = (sources.tensor.to_device(self.device())?, poses.to_device(self.device())?);
        let made = in_chunks("pictures to draw in other poses", sources.len(), |range| {
            Ok(networks.make(&rows(&pictures, &range)?, &rows(&poses, &range)?)?.refined)
        })?;
        Images::new(made.clamp(-1f32, 1f32)?)
    }
}
