//! Sets of feature vectors, `[N, D]` of any network: distances between them, how varied they are, how they lie.

pub mod diversity;
pub mod fid_infinity;
pub mod frechet;
pub mod inception_score;
pub mod kid;
pub mod memorisation;
pub mod neighbours;
mod pca;
pub mod precision_recall;
mod singular;
pub mod tsne;
