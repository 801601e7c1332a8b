//! The published make.girls.moe generator, and faces that it drew: data for the proofs on real pictures.

use std::path::Path;

use tachie::data::dataset::Source;
use tachie::data::tags::TagSet;
use tachie::image::RgbImage;
use tachie::models::make_girls::{MakeGirls, Published};
use tachie::{Error, Result};

/// The generator whose files are in `real` (`../shared/real`), kept as `weights` on the way.
pub fn generator(real: &Path, weights: &Path) -> Result<MakeGirls> {
    let moe = real.join("moe");
    let [network, map, table] =
        ["amaryllis_8bit.bin", "moe_amaryllis_map.csv", "webdnn_eightbit_table.csv"].map(|name| moe.join(name));
    Published::open(network, map, table)?.save(weights)?;
    MakeGirls::open(weights, &tachie::device()?)
}

/// Generated faces with the labels that they were asked for.
pub struct Drawn {
    pub pictures: Vec<RgbImage>,
    /// One list of numbers a face, one number a tag.
    pub labels: Vec<Vec<f32>>,
    pub tags: TagSet,
}

impl Source for Drawn {
    fn len(&self) -> usize {
        self.pictures.len()
    }

    fn tags(&self) -> &TagSet {
        &self.tags
    }

    fn image(&self, i: usize) -> Result<RgbImage> {
        let beyond = || Error::invalid("face", i.to_string(), format!("a number below {}", self.pictures.len()), "");
        self.pictures.get(i).cloned().ok_or_else(beyond)
    }

    fn labels(&self, i: usize) -> Vec<f32> {
        self.labels.get(i).cloned().unwrap_or_default()
    }

    fn name(&self) -> String {
        "make.girls.moe samples".into()
    }

    fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (picture, labels) in self.pictures.iter().zip(&self.labels) {
            hasher.update(picture.as_raw());
            labels.iter().for_each(|label| {
                hasher.update(&label.to_le_bytes());
            });
        }
        hasher.finalize().to_hex().to_string()
    }

    fn size(&self) -> u32 {
        self.pictures.first().map_or(0, |picture| picture.width())
    }
}
