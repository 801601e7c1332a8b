//! What previews of conditional models are made from: what the first minibatch of the training showed.

use candle_core::{Tensor, Var};

use crate::Result;

/// The first rows of a minibatch that are kept for previews; a shorter one's are repeated.
pub(crate) fn keep_rows(kept: &Var, from: &Tensor) -> Result<()> {
    let len = from.dims().first().copied().unwrap_or(0).max(1);
    let rows: Vec<Tensor> = (0..kept.dims()[0]).map(|row| from.get(row % len)).collect::<Result<_, _>>()?;
    Ok(kept.set(&Tensor::stack(&rows, 0)?.to_dtype(kept.dtype())?)?)
}
