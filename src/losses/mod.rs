//! Losses of the five papers.

use candle_core::Tensor;

use crate::Result;
use crate::ops::arithmetic::add;

pub mod adversarial;
pub mod attribute;
pub mod diversity;
pub mod features;
pub mod least_squares;
pub mod multibox;
pub mod penalty;
pub mod wasserstein;

/// The sum of the terms that there are, tensors of one shape; `None` where there is none.
///
/// # Errors
/// The first term's that has one, or that shapes differ.
pub fn summed(terms: impl IntoIterator<Item = Result<Option<Tensor>>>) -> Result<Option<Tensor>> {
    let mut sum: Option<Tensor> = None;
    for term in terms {
        sum = match (sum, term?) {
            (Some(sum), Some(term)) => Some(add(&sum, &term)?),
            (sum, term) => sum.or(term),
        };
    }
    Ok(sum)
}
