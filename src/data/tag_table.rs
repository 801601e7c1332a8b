//! How often tags occur.

use std::fmt;

use super::dataset::Dataset;

/// How many pictures of a data set carry each tag.
#[derive(Clone, Debug, PartialEq)]
pub struct TagTable {
    /// Number of pictures counted.
    pub pictures: usize,
    /// Every tag in label order: name, sum of its values (the number of pictures for on/off tags), share of the pictures.
    pub rows: Vec<TagCount>,
}

/// One row of a [`TagTable`].
#[derive(Clone, Debug, PartialEq)]
pub struct TagCount {
    /// The tag.
    pub name: String,
    /// Pictures on which it is on (value of at least one half).
    pub count: usize,
    /// `count` as a share of all pictures, in [0, 1].
    pub share: f64,
}

impl Dataset {
    /// How many pictures carry each tag.
    pub fn tag_table(&self) -> TagTable {
        let mut counts = vec![0; self.tags().len()];
        for i in self.positions() {
            let labels = self.from().labels(i);
            counts.iter_mut().zip(labels).for_each(|(count, value)| *count += usize::from(value >= 0.5));
        }
        let pictures = self.len();
        let row = |(name, count): (&str, usize)| TagCount {
            name: name.to_string(),
            count,
            share: if pictures == 0 { 0.0 } else { count as f64 / pictures as f64 },
        };
        TagTable { pictures, rows: self.tags().names().into_iter().zip(counts).map(row).collect() }
    }
}

impl fmt::Display for TagTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pictures", self.pictures)?;
        for row in &self.rows {
            write!(f, "\n{:>8} {:>6.2} %  {}", row.count, 100.0 * row.share, row.name)?;
        }
        Ok(())
    }
}
