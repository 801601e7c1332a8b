//! Near-duplicates among many pictures, without comparing every two.
//!
//! Pictures whose luma correlates by ρ are, as directions of length 1, √(2 − 2ρ) apart, and their lowest cosine coefficients
//! at most as far. Sixteen tables hash the signs of a choice of these coefficients against their medians; of every picture
//! the entries of its own hash are looked up and those in which the four least certain signs, those nearest to a border, are
//! turned over. Hashes are as long as keeps entries small, so that the work grows with the number of pictures times its
//! logarithm. What is found is compared by all three scores, and chains of similar pictures are groups.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::similar::{SIDE, Signature, Similarity};
use crate::data::prepare::union::Union;
use crate::rng::{Seed, Stream};

/// Cosine coefficients along each axis.
const WAVES: usize = 7;
/// All but the constant one.
const COEFFICIENTS: usize = WAVES * WAVES - 1;
/// Hash tables.
const TABLES: usize = 16;
/// Signs of a hash that are tried both ways.
const UNCERTAIN: usize = 4;
/// Entries of a crowded hash that are compared with one picture: those next to it along the strongest coefficient.
const MOST: usize = 256;

/// Likenesses that end the search for those of one picture in one table: the next table goes on with those that are not in
/// its group yet. A crowd of equals costs its number of pictures and not the square of it.
const ENOUGH: usize = 4;
/// How much farther apart than allowed coefficients may be of pictures of which one has to be shifted or stretched.
const ALIGNED: f32 = 0.35;

type Coefficients = [f32; COEFFICIENTS];

/// Groups of pictures that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The group of each picture, if it has one: from 0 in the order of their first pictures.
    pub of: Vec<Option<usize>>,
    /// How many pairs of pictures were looked at; all of them would be n(n − 1)/2.
    pub compared: u64,
}

/// Groups of pictures whose [`Signature::similarity`] reaches the thresholds, or that a chain of such pictures connects. The
/// result does not depend on the number of threads.
pub fn groups(signatures: &[Signature], thresholds: &Similarity) -> Groups {
    let mut union = Union::new(signatures.len());
    let distinct = join_equal(signatures, &mut union);
    let waves = waves();
    let coefficients: Vec<Coefficients> =
        distinct.par_iter().map(|&i| transform(&signatures[i].direction(), &waves)).collect();
    let search = Search { signatures, thresholds, distinct: &distinct, coefficients: &coefficients };
    let compared = AtomicU64::new(0);
    let medians = search.medians();
    // What was compared in full and is not alike: tables find the same neighbours again and again.
    let mut refused: Vec<Vec<u32>> = vec![Vec::new(); distinct.len()];
    for table in 0..TABLES {
        let looks = search.table(table, &medians, &union.snapshot(), &refused, &compared);
        for (i, look) in looks.into_iter().enumerate() {
            look.alike.iter().for_each(|&j| union.join(distinct[i], distinct[j]));
            for j in look.refused {
                refused[i].push(j);
                refused[j as usize].push(i as u32);
            }
        }
        refused.par_iter_mut().for_each(|list| {
            list.sort_unstable();
            list.dedup();
        });
    }
    Groups { of: union.numbered(), compared: compared.into_inner() }
}

/// Joins pictures with one and the same signature; the first of each.
fn join_equal(signatures: &[Signature], union: &mut Union) -> Vec<usize> {
    let mut firsts: HashMap<&[u8], usize> = HashMap::new();
    let mut distinct = Vec::new();
    for (i, signature) in signatures.iter().enumerate() {
        match firsts.get(signature.bytes()) {
            Some(&first) => union.join(first, i),
            None => {
                firsts.insert(signature.bytes(), i);
                distinct.push(i);
            }
        }
    }
    distinct
}

struct Search<'a> {
    signatures: &'a [Signature],
    thresholds: &'a Similarity,
    distinct: &'a [usize],
    coefficients: &'a [Coefficients],
}

/// What one table says of one picture.
#[derive(Default)]
struct Look {
    alike: Vec<usize>,
    /// Those that only the full comparison told apart.
    refused: Vec<u32>,
}

/// A picture in a table: its hash, where it is among those of the same hash, and its number.
type Entry = (u32, f32, u32);

impl Search<'_> {
    /// Of each coefficient, over all pictures.
    fn medians(&self) -> Coefficients {
        std::array::from_fn(|k| {
            let mut values: Vec<f32> = self.coefficients.iter().map(|of| of[k]).collect();
            let middle = values.len() / 2;
            match values.is_empty() {
                true => 0.0,
                false => *values.select_nth_unstable_by(middle, f32::total_cmp).1,
            }
        })
    }

    /// The later pictures that one table finds to be like each one, but for those of its group.
    fn table(
        &self,
        table: usize,
        medians: &Coefficients,
        roots: &[usize],
        refused: &[Vec<u32>],
        compared: &AtomicU64,
    ) -> Vec<Look> {
        let count = self.distinct.len();
        // Two bits more than tell all pictures apart: coefficients are not quite independent.
        let bits = (count.max(2).ilog2() as usize + 3).clamp(6, 28);
        let mut stream = Seed(0).stream(&format!("near-duplicates/{table}"));
        let chosen = chosen(&mut stream, bits);
        let mut entries: Vec<Entry> = (0..count)
            .into_par_iter()
            .map(|i| (hash(&self.coefficients[i], medians, &chosen).0, self.coefficients[i][0], i as u32))
            .collect();
        entries.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut starts: HashMap<u32, (usize, usize)> = HashMap::with_capacity(count);
        for (at, entry) in entries.iter().enumerate() {
            starts.entry(entry.0).or_insert((at, at)).1 = at + 1;
        }
        let near = |i: usize| {
            let (own, uncertain) = hash(&self.coefficients[i], medians, &chosen);
            let (mut look, mut looked) = (Look::default(), 0);
            let turned = |pattern: u32| {
                let flips = uncertain.iter().enumerate().filter(|(k, _)| pattern >> k & 1 == 1);
                flips.fold(own, |key, (_, bit)| key ^ 1 << bit)
            };
            let buckets = (0..1 << uncertain.len()).filter_map(|pattern| starts.get(&turned(pattern)));
            let window = |&(start, end): &(usize, usize)| self.window(&entries[start..end], self.coefficients[i][0]);
            for j in buckets.flat_map(window).map(|entry| entry.2 as usize) {
                // Those of its group need no look, itself among them.
                if roots[self.distinct[i]] == roots[self.distinct[j]] {
                    continue;
                }
                looked += 1;
                if !self.may_be_alike(i, j) || refused[i].binary_search(&(j as u32)).is_ok() {
                    continue;
                }
                match self.alike(i, j) {
                    false => look.refused.push(j as u32),
                    true => look.alike.push(j),
                }
                if look.alike.len() == ENOUGH {
                    break;
                }
            }
            compared.fetch_add(looked, Ordering::Relaxed);
            look
        };
        (0..count).into_par_iter().map(near).collect()
    }

    /// Of a crowded hash the entries next to `value`.
    fn window<'e>(&self, entries: &'e [Entry], value: f32) -> &'e [Entry] {
        if entries.len() <= MOST {
            return entries;
        }
        let at = entries.partition_point(|entry| entry.1 < value);
        let start = at.saturating_sub(MOST / 2).min(entries.len() - MOST);
        &entries[start..start + MOST]
    }

    /// What a glance tells.
    fn may_be_alike(&self, i: usize, j: usize) -> bool {
        // What is aligned before it is compared may be farther apart here.
        let most = (2.0 - 2.0 * self.thresholds.contrast as f32 + ALIGNED).powi(2);
        let [a, b] = [i, j].map(|i| &self.signatures[self.distinct[i]]);
        apart(&self.coefficients[i], &self.coefficients[j]) <= most && a.may_reach(b, self.thresholds)
    }

    /// The full comparison.
    fn alike(&self, i: usize, j: usize) -> bool {
        let [a, b] = [i.min(j), i.max(j)].map(|i| &self.signatures[self.distinct[i]]);
        a.similarity(b).reaches(self.thresholds)
    }
}

/// The squared distance, summed in as many lanes as processors have.
fn apart(a: &Coefficients, b: &Coefficients) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0f32; LANES];
    let ((a, _), (b, _)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    sums.iter().sum()
}

/// Which coefficients a table hashes.
fn chosen(stream: &mut Stream, bits: usize) -> Vec<usize> {
    stream.permutation(COEFFICIENTS).into_iter().take(bits).collect()
}

/// The signs of the chosen coefficients against their medians, and which of them are least certain.
fn hash(of: &Coefficients, medians: &Coefficients, chosen: &[usize]) -> (u32, Vec<usize>) {
    let margin = |k: usize| of[k] - medians[k];
    let signs = chosen.iter().enumerate().fold(0, |key, (bit, &k)| key | u32::from(margin(k) > 0.0) << bit);
    let mut order: Vec<usize> = (0..chosen.len()).collect();
    let by_margin = |a: &usize, b: &usize| margin(chosen[*a]).abs().total_cmp(&margin(chosen[*b]).abs());
    let few = UNCERTAIN.min(order.len());
    if few < order.len() {
        order.select_nth_unstable_by(few, by_margin);
    }
    order.truncate(few);
    (signs, order)
}

/// The lowest cosine waves of a line, each of length 1.
fn waves() -> Vec<[f32; SIDE]> {
    let wave = |k: usize| {
        std::array::from_fn(|x| {
            let length = if k == 0 { 1.0 / SIDE as f64 } else { 2.0 / SIDE as f64 };
            let angle = std::f64::consts::PI * k as f64 * (2 * x + 1) as f64 / (2 * SIDE) as f64;
            (length.sqrt() * angle.cos()) as f32
        })
    };
    (0..WAVES).map(wave).collect()
}

/// The lowest coefficients of the two-dimensional cosine transform, but for the constant one.
fn transform(picture: &[f32], waves: &[[f32; SIDE]]) -> Coefficients {
    let dot = |line: &[f32], wave: &[f32; SIDE]| line.iter().zip(wave).map(|(a, b)| a * b).sum::<f32>();
    let rows: Vec<[f32; WAVES]> =
        picture.chunks_exact(SIDE).map(|row| std::array::from_fn(|k| dot(row, &waves[k]))).collect();
    std::array::from_fn(|i| {
        let (down, across) = ((i + 1) / WAVES, (i + 1) % WAVES);
        rows.iter().zip(&waves[down]).map(|(row, wave)| row[across] * wave).sum()
    })
}
